"""What the OpenAI API refuses: each wrong field is named, and each error has OpenAI's shape and status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests
from django.test import AsyncClient

from chat.models import ApiKey, Flow, Right, User
from chat.runtime import Runtime
from tests.api.conftest import ApiServer
from tests.api.openai_client import CALCULATOR, HELLO, client_in_process
from tests.conftest import wait_until

CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
GOOD: dict[str, dict[str, Any]] = {
    CHAT: {"model": "starter", "messages": HELLO},
    COMPLETIONS: {"model": "starter", "prompt": "Hello"},
    RESPONSES: {"model": "starter", "input": "Hello!"},
}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"type": "function", "function": {"name": "f"}}


def said(role: str, **fields: Any) -> dict[str, Any]:
    """A change of the messages: after hello this one."""
    return {"messages": [*HELLO, {"role": role, **fields}]}


def schema(value: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": value}}}


SAMPLING: list[tuple[dict[str, Any], str]] = [
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "1"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": 10**400}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"top_p": []}, "top_p"),
    ({"presence_penalty": 3}, "presence_penalty"),
    ({"frequency_penalty": -3}, "frequency_penalty"),
    ({"top_k": -1}, "top_k"),
    ({"top_k": 1.5}, "top_k"),
    ({"min_p": 2}, "min_p"),
    ({"mirostat": 3}, "mirostat"),
    ({"logit_bias": {"a": 1}}, "logit_bias"),
    ({"logit_bias": {"1": 101}}, "logit_bias"),
    ({"repeat_penalty": 0}, "repeat_penalty"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"stop": ""}, "stop"),
    ({"stop": "x" * 257}, "stop"),
    ({"stop": ["x"] * 17}, "stop"),
    ({"stop": [1]}, "stop"),
    ({"stop": {}}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 5}, "model"),
    ({"model": "x" * 301}, "model"),
]
CHAT_ONLY: list[tuple[dict[str, Any], str]] = [
    ({"n": 0}, "n"),
    ({"n": 9}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_completion_tokens": "many"}, "max_completion_tokens"),
    ({"max_completion_tokens": 5, "max_tokens": 0}, "max_tokens"),
    ({"stream": True, "stream_options": 5}, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 5}}, "stream_options.include_usage"),
    ({"logprobs": 3}, "logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": ["Hello"]}, "messages[0]"),
    ({"messages": [{"content": "Hello"}]}, "messages[0].role"),
    (said("pirate", content="Arr"), "messages[1].role"),
    (said("user"), "messages[1].content"),
    (said("user", content=5), "messages[1].content"),
    (said("user", content=["x"]), "messages[1].content[0]"),
    (said("user", content=[IMAGE]), "messages[1].content[0].image_url.url"),
    (said("user", content=[{"type": "text"}]), "messages[1].content[0].text"),
    (said("assistant"), "messages[1].content"),
    (said("assistant", tool_calls=[{"id": "c1"}]), "messages[1].tool_calls[0].function"),
    (
        said("assistant", tool_calls=[{**CALL, "function": {"name": "f", "arguments": "{"}}]),
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        said("assistant", tool_calls=[{**CALL, "function": {"name": "f", "arguments": '"\\ud800"'}}]),
        "messages[1].tool_calls[0].function.arguments",
    ),
    (said("tool", content="42"), "messages[1].tool_call_id"),
    (said("tool", content="42", tool_call_id="c1"), "messages[1].tool_call_id"),
    ({"tools": 5}, "tools"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
    ({"tools": [FUNCTION, FUNCTION]}, "tools"),
    ({"tools": [FUNCTION] * 129}, "tools"),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": 5}}]},
        "tools[0].function.parameters",
    ),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [CALCULATOR], "tool_choice": "maybe"}, "tool_choice"),
    (
        {"tools": [CALCULATOR], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "tool_choice",
    ),
    ({"tools": [CALCULATOR], "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        "response_format.json_schema.schema",
    ),
    (schema({"type": "what"}), "response_format.json_schema.schema"),
    (schema({"$ref": "https://example.org"}), "response_format.json_schema.schema"),
]
COMPLETIONS_ONLY: list[tuple[dict[str, Any], str]] = [
    ({"prompt": None}, "prompt"),
    ({"prompt": ""}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": [1, 2]}, "prompt"),
    ({"prompt": ["x"] * 17}, "prompt"),
    ({"n": 9}, "n"),
    ({"logprobs": 6}, "logprobs"),
    ({"logprobs": 1, "echo": True}, "logprobs"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"suffix": "end"}, "suffix"),
    ({"best_of": 3}, "best_of"),
]
RESPONSES_ONLY: list[tuple[dict[str, Any], str]] = [
    ({"input": None}, "input"),
    ({"input": []}, "input"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": "1"}]}, "input[0].call_id"),
    ({"instructions": 5}, "instructions"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"background": True}, "background"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"truncation": "some"}, "truncation"),
    ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
    ({"metadata": 5}, "metadata"),
]
CASES = [
    *((CHAT, change, field) for change, field in SAMPLING),
    *((path, change, field) for path in (COMPLETIONS, RESPONSES) for change, field in SAMPLING[::6]),
    *((CHAT, change, field) for change, field in CHAT_ONLY),
    *((COMPLETIONS, change, field) for change, field in COMPLETIONS_ONLY),
    *((RESPONSES, change, field) for change, field in RESPONSES_ONLY),
]


def error_in(response: Any) -> dict[str, Any]:
    """The error, which must have all of OpenAI's fields."""
    body = json.loads(response.content)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    return dict(body["error"])


@pytest.fixture(scope="module")
def session(api_server: ApiServer) -> Iterator[requests.Session]:
    """One connection for all: a new one for each takes longer than the refusal."""
    with requests.Session() as session:
        session.headers.update(api_server.headers)
        yield session


class TestFields:
    @pytest.mark.parametrize(("path", "change", "field"), CASES)
    def test_a_wrong_field_is_400_and_named(
        self,
        api_server: ApiServer,
        session: requests.Session,
        path: str,
        change: dict[str, Any],
        field: str,
    ) -> None:
        response = session.post(f"{api_server.url}{path}", json=GOOD[path] | change, timeout=60)

        assert response.status_code == 400, response.text
        assert error_in(response)["param"] == field
        assert error_in(response)["type"] == "invalid_request_error"

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b"5", b"\xff\xfe", b'{"model": NaN}', b"[" * 100_000]
    )
    def test_a_body_that_is_no_json_object_is_400(
        self, api_server: ApiServer, session: requests.Session, body: bytes
    ) -> None:
        response = session.post(f"{api_server.url}{CHAT}", data=body, timeout=60)

        assert response.status_code == 400
        assert error_in(response)["code"] == "invalid_input"

    @pytest.mark.parametrize("path", ["/v1/", "/v1/nothing", "/v1/chat/completions/", "/v1/responses/resp_1"])
    def test_an_unknown_path_is_404_in_json(self, api_server: ApiServer, path: str) -> None:
        for method in ("GET", "POST", "DELETE"):
            response = requests.request(method, f"{api_server.url}{path}", timeout=60)

            assert response.status_code == 404
            assert error_in(response)["code"] == "not_found"

    @pytest.mark.parametrize("path", GOOD)
    def test_other_methods_are_405(self, api_server: ApiServer, path: str) -> None:
        response = requests.get(f"{api_server.url}{path}", headers=api_server.headers, timeout=60)

        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
        error_in(response)

    def test_a_flow_takes_no_raw_prompt(self, api_server: ApiServer) -> None:
        body = {"model": f"flow:{api_server.flow_id}", "prompt": "Hello"}
        response = requests.post(
            f"{api_server.url}{COMPLETIONS}", headers=api_server.headers, json=body, timeout=60
        )

        assert (response.status_code, error_in(response)["param"]) == (400, "model")


class TestKeys:
    """In this process, on the tiny model: rows and settings are the test's own."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def key(self, alice: User) -> str:
        return ApiKey.objects.issue(alice, "test")[1]

    @staticmethod
    async def post(path: str, body: Any, key: str = "", **headers: str) -> Any:
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return await AsyncClient().post(path, body, content_type="application/json", headers=headers)

    @pytest.mark.parametrize("path", [*GOOD, "/v1/models"])
    async def test_without_a_good_key_it_is_401(self, runtime: Runtime, path: str) -> None:
        for key in ("", "pk-wrong", "' OR 1=1--", "schlüssel"):
            response = await self.post(path, GOOD.get(path, {}), key)

            assert response.status_code == 401
            assert response["WWW-Authenticate"] == "Bearer"

    async def test_rights_and_scopes_are_403(self, runtime: Runtime, key: str) -> None:
        flow = await Flow.objects.acreate(name="Mine", requires_key=True)
        other = await Flow.objects.acreate(name="Other", requires_key=True)
        row = await ApiKey.objects.aget()
        await row.flows.aadd(flow)
        hello = {"messages": HELLO, "max_tokens": 2}

        statuses = {
            model: (await self.post(CHAT, {"model": model, **hello}, key)).status_code
            for model in ("tiny", f"flow:{other.pk}", f"flow:{flow.pk}", "flow:Mine")
        }
        listed = await AsyncClient().get("/v1/models", headers={"Authorization": f"Bearer {key}"})
        hidden = await AsyncClient().get(
            f"/v1/models/flow:{other.pk}", headers={"Authorization": f"Bearer {key}"}
        )
        keyless = await self.post(CHAT, {"model": "flow:Mine", **hello})
        row.rights = [Right.HISTORY]
        await row.asave()
        without_right = await self.post(CHAT, {"model": "flow:Mine", **hello}, key)

        assert list(statuses.values()) == [403, 403, 200, 200]
        assert [entry["id"] for entry in json.loads(listed.content)["data"]] == [f"flow:{flow.pk}"]
        assert hidden.status_code == 404
        assert (keyless.status_code, without_right.status_code) == (401, 403)

    async def test_an_open_flow_answers_without_a_key(self, runtime: Runtime) -> None:
        flow = await Flow.objects.acreate(name="Open", system_prompt="Be open.", params={"max_tokens": 3})

        response = await self.post(CHAT, {"model": f"flow:{flow.pk}", "messages": HELLO})

        assert response.status_code == 200
        assert json.loads(response.content)["usage"]["completion_tokens"] == 3

    @pytest.mark.usefixtures("still_clock")
    async def test_too_many_requests_are_a_rate_limit_error(
        self, runtime: Runtime, key: str, settings: Any
    ) -> None:
        settings.PARLEY_API_REQUESTS_PER_MINUTE = 1
        async with client_in_process(key) as client:
            await client.models.list()

            with pytest.raises(openai.RateLimitError) as told:
                await client.chat.completions.create(model="tiny", messages=HELLO)  # type: ignore[arg-type]

        assert told.value.code == "rate_limit_exceeded"
        assert int(told.value.response.headers["Retry-After"]) > 0

    async def test_a_full_queue_is_a_rate_limit_error_and_leaves_nothing(
        self, runtime: Runtime, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(runtime.pool, "_max_runs", 2)
        async with client_in_process(key) as client:
            with pytest.raises(openai.RateLimitError) as told:
                await client.chat.completions.create(model="tiny", messages=HELLO, n=8)  # type: ignore[arg-type]

        assert told.value.code == "overloaded"
        await asyncio.to_thread(wait_until, lambda: runtime.pool.num_live == 0)
