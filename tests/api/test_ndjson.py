"""The NDJSON API: line by line as its clients read it, and every refusal in its shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from django.test import AsyncClient

from chat.models import ApiKey, Flow, Right, User
from chat.runtime import Runtime
from tests.api.conftest import ApiServer

GENERATE = "/v1/generate_response"
HELLO = [{"role": "user", "content": "Hello!"}]
pytestmark = pytest.mark.django_db(transaction=True)


def lines_of(server: ApiServer, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The loop of the streaming guide."""
    chunks = []
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    with requests.post(
        f"{server.url}{GENERATE}", headers=headers, json=body | {"stream": True}, stream=True, timeout=120
    ) as response:
        response.raise_for_status()
        assert response.headers["Content-Type"] == "application/x-ndjson"
        for line in response.iter_lines():
            if line:
                chunk = json.loads(line)
                chunks.append(chunk)
    return chunks


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "delta")


class TestAgainstAServer:
    def test_a_stream_is_deltas_and_one_stop(self, api_server: ApiServer) -> None:
        chunks = lines_of(api_server, {"model": "starter", "messages": HELLO, "temperature": 0})

        assert {chunk["type"] for chunk in chunks[:-1]} <= {"info", "delta"}
        assert text_of(chunks)
        assert chunks[-1]["type"] == "stop"
        assert chunks[-1]["stop_reason"] == "end_turn"
        assert chunks[-1]["usage"]["input_tokens"] > 0
        assert chunks[-1]["usage"]["output_tokens"] > 0
        assert chunks[-1]["usage"]["duration_ms"] >= 0

    def test_the_whole_answer_is_what_the_stream_would_say(self, api_server: ApiServer) -> None:
        body = {"model": "starter", "messages": HELLO, "temperature": 0}
        headers = {"Authorization": f"Bearer {api_server.key}"}

        whole = requests.post(f"{api_server.url}{GENERATE}", headers=headers, json=body, timeout=120).json()

        assert whole["message"] == {"role": "assistant", "content": text_of(lines_of(api_server, body))}
        assert (whole["type"], whole["stop_reason"]) == ("stop", "end_turn")

    def test_each_line_arrives_by_itself_and_is_ascii(self, api_server: ApiServer) -> None:
        body = {"model": "starter", "messages": [{"role": "user", "content": "Say: ü 😀 \u2028 data:"}]}
        headers = {"Authorization": f"Bearer {api_server.key}"}

        with requests.post(
            f"{api_server.url}{GENERATE}",
            headers=headers,
            json=body | {"stream": True},
            stream=True,
            timeout=120,
        ) as response:
            text = b"".join(response.iter_content(None))

        assert text.isascii()
        assert text.endswith(b"\n")
        assert [json.loads(line)["type"] for line in text.splitlines()][-1] == "stop"

    def test_max_tokens_is_told_as_the_reason(self, api_server: ApiServer) -> None:
        chunks = lines_of(api_server, {"model": "starter", "messages": HELLO, "max_tokens": 1})

        assert chunks[-1]["stop_reason"] == "max_tokens"
        assert chunks[-1]["usage"]["output_tokens"] == 1

    def test_a_flow_answers_by_its_id(self, api_server: ApiServer) -> None:
        chunks = lines_of(api_server, {"model": f"flow:{api_server.flow_id}", "messages": HELLO})

        assert chunks[-1]["type"] == "stop"
        assert text_of(chunks)

    def test_a_client_that_leaves_frees_its_place(self, api_server: ApiServer) -> None:
        headers = {"Authorization": f"Bearer {api_server.key}"}
        body = {"model": "starter", "messages": HELLO, "stream": True, "temperature": 2, "max_tokens": 500}

        for _ in range(12):  # more than the server has places: each must be free again
            with requests.post(
                f"{api_server.url}{GENERATE}", headers=headers, json=body, stream=True, timeout=120
            ) as response:
                next(response.iter_lines())

        assert lines_of(api_server, {"model": "starter", "messages": HELLO})[-1]["type"] == "stop"


@pytest.fixture
def key(alice: User) -> str:
    return ApiKey.objects.issue(alice, "test")[1]


@pytest.fixture
def api(async_client: AsyncClient, key: str) -> Api:
    return Api(async_client, key)


class Api:
    """Alice's program."""

    def __init__(self, client: AsyncClient, key: str) -> None:
        self._client = client
        self.key = key

    async def ask(self, body: object, path: str = GENERATE, key: str | None = None, **headers: str) -> Any:
        given = self.key if key is None else key
        if given:
            headers["Authorization"] = f"Bearer {given}"
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return await self._client.post(path, data=data, content_type="application/json", headers=headers)


def message_of(response: Any) -> str:
    body = json.loads(response.content)
    assert set(body) == {"type", "message"}
    assert body["type"] == "error"
    return str(body["message"])


class TestRefusals:
    @pytest.mark.parametrize(
        "body", ["", "{", "[]", "null", '"x"', "5", b"\xff\xfe", '{"a": NaN}', "[" * 100_000]
    )
    async def test_a_body_that_is_no_json_object_is_400(self, runtime: Runtime, api: Api, body: str) -> None:
        response = await api.ask(body)

        assert response.status_code == 400
        assert message_of(response)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"model": None}, "model"),
            ({"model": ""}, "model"),
            ({"model": 5}, "model"),
            ({"messages": None}, "messages"),
            ({"messages": []}, "messages"),
            ({"messages": "Hello!"}, "messages"),
            ({"messages": ["Hello!"]}, "messages[0]"),
            ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
            ({"messages": [{"role": "user"}]}, "messages[0].content"),
            ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
            ({"stream": "yes"}, "stream"),
            ({"temperature": -1}, "temperature"),
            ({"temperature": "0.5"}, "temperature"),
            ({"temperature": True}, "temperature"),
            ({"top_p": 1.5}, "top_p"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"max_tokens": 2**63}, "max_tokens"),
            ({"max_tokens": 1.5}, "max_tokens"),
        ],
    )
    async def test_a_wrong_field_is_422_and_named(
        self, runtime: Runtime, api: Api, change: dict[str, Any], field: str
    ) -> None:
        response = await api.ask({"model": "tiny", "messages": HELLO} | change)

        assert response.status_code == 422
        assert message_of(response).startswith(f"{field} ")

    @pytest.mark.parametrize("model", ["nothing", "flow:nothing", f"flow:{'0' * 32}", "../tiny", "flow:"])
    async def test_an_unknown_model_is_404(self, runtime: Runtime, api: Api, model: str) -> None:
        response = await api.ask({"model": model, "messages": HELLO, "stream": True})

        assert response.status_code == 404
        assert message_of(response)

    @pytest.mark.parametrize("key", ["", "wrong", "pk-' OR 1=1--", "ü", "x" * 10_000])
    async def test_without_a_good_key_it_is_401(self, runtime: Runtime, api: Api, key: str) -> None:
        response = await api.ask({"model": "tiny", "messages": HELLO}, key=key)

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"
        assert message_of(response)

    async def test_a_key_without_the_right_is_403(self, runtime: Runtime, api: Api, key: str) -> None:
        await ApiKey.objects.aupdate(rights=[Right.HISTORY])

        response = await api.ask({"model": "tiny", "messages": HELLO})

        assert response.status_code == 403
        assert message_of(response)

    async def test_a_key_for_one_flow_is_good_for_no_model(self, runtime: Runtime, api: Api) -> None:
        flow = await Flow.objects.acreate(name="Mine")
        await (await ApiKey.objects.aget()).flows.aadd(flow)

        model = await api.ask({"model": "tiny", "messages": HELLO})
        own_flow = await api.ask({"model": f"flow:{flow.pk}", "messages": HELLO, "max_tokens": 2})

        assert (model.status_code, own_flow.status_code) == (403, 200)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_prompt_over_the_context_is_400_with_the_counts(
        self, runtime: Runtime, api: Api, stream: bool
    ) -> None:
        long = [{"role": "user", "content": "word " * 5_000}]
        await api.ask({"model": "tiny", "messages": HELLO, "max_tokens": 1})  # so that it is loaded

        response = await api.ask({"model": "tiny", "messages": long, "stream": stream})

        assert response.status_code == 400
        assert "2,048" in message_of(response) or "2048" in message_of(response)

    async def test_other_methods_are_405(self, runtime: Runtime, async_client: AsyncClient) -> None:
        response = await async_client.get(GENERATE)

        assert response.status_code == 405
        assert message_of(response)

    @pytest.mark.usefixtures("still_clock")
    async def test_too_many_requests_are_429(self, runtime: Runtime, api: Api, settings: Any) -> None:
        settings.PARLEY_API_REQUESTS_PER_MINUTE = 1

        answers = [await api.ask({"model": "nothing", "messages": HELLO}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [404, 429]
        assert int(answers[1]["Retry-After"]) > 0


class TestTraining:
    async def test_it_is_told_that_there_is_none_yet(self, runtime: Runtime, api: Api) -> None:
        response = await api.ask({"model": "tiny"}, path="/v1/train")

        assert response.status_code == 501
        assert "train" in message_of(response)

    async def test_without_a_key_not_even_that(self, runtime: Runtime, api: Api) -> None:
        response = await api.ask({"model": "tiny"}, path="/v1/train", key="")

        assert response.status_code == 401


class TestStreams:
    async def test_a_model_that_must_be_loaded_is_told(
        self, new_engines: None, runtime: Runtime, api: Api
    ) -> None:
        response = await api.ask({"model": "tiny", "messages": HELLO, "stream": True, "max_tokens": 4})

        chunks = [json.loads(line) async for line in response.streaming_content]
        assert chunks[0] == {"type": "info", "message": "Loading model tiny"}
        assert chunks[-1]["type"] == "stop"

    async def test_the_same_idempotency_key_is_given_the_same_answer(
        self, runtime: Runtime, api: Api
    ) -> None:
        body = {"model": "tiny", "messages": HELLO, "temperature": 1.5}

        first, again = [await api.ask(body, **{"Idempotency-Key": "one"}) for _ in range(2)]
        other = await api.ask(body | {"top_p": 0.5}, **{"Idempotency-Key": "one"})

        assert first.content == again.content
        assert other.status_code == 409
