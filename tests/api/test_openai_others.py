"""Completions, responses and the list of models, by the real `openai` package against a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage

from tests.api.conftest import ApiServer
from tests.api.openai_client import FLAT_CALCULATOR, PERSON_SCHEMA, sync_client

STORY = "Once upon a time"
SKY = "The sky is"
SUM = "What is 6 * 7?"


@pytest.fixture
def client(api_server: ApiServer) -> Iterator[openai.OpenAI]:
    with sync_client(api_server) as client:
        yield client


class TestCompletions:
    def test_a_text_goes_on(self, client: openai.OpenAI) -> None:
        answer = client.completions.create(model="starter", prompt=SKY, max_tokens=3)

        assert answer.object == "text_completion"
        assert answer.choices[0].finish_reason in ("stop", "length")
        assert answer.usage.completion_tokens <= 3

    def test_without_a_length_it_is_sixteen_tokens(self, client: openai.OpenAI) -> None:
        answer = client.completions.create(model="starter", prompt=STORY)

        assert answer.usage.completion_tokens <= 16

    def test_several_prompts_and_choices_are_numbered(self, client: openai.OpenAI) -> None:
        asked: Any = {"model": "starter", "prompt": [STORY, SKY], "n": 2, "max_tokens": 4, "echo": True}

        whole = client.completions.create(**asked)
        chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))

        texts = [choice.text for choice in whole.choices]
        assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
        assert [text.startswith(STORY) for text in texts] == [True, True, False, False]
        streamed = [
            "".join(c.text for chunk in chunks for c in chunk.choices if c.index == n) for n in range(4)
        ]
        assert streamed == texts
        assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens

    def test_logprobs_are_those_of_the_text(self, client: openai.OpenAI) -> None:
        [choice] = client.completions.create(model="starter", prompt=SKY, max_tokens=4, logprobs=2).choices

        logprobs = choice.logprobs
        assert "".join(logprobs.tokens) == choice.text
        assert logprobs.text_offset[0] == 0
        assert [len(top) for top in logprobs.top_logprobs] == [2] * len(logprobs.tokens)
        assert all(value <= 0 for value in logprobs.token_logprobs)

    def test_a_prompt_over_the_context_is_told_with_its_field(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as told:
            client.completions.create(model="starter", prompt="Hello! " * 3000, stream=True)

        assert (told.value.code, told.value.param) == ("context_length_exceeded", "prompt")


class TestResponses:
    def test_a_text_is_answered(self, client: openai.OpenAI) -> None:
        answer = client.responses.create(model="starter", input="Hello!", instructions="Be brief.")

        assert answer.status == "completed"
        assert answer.output_text
        assert answer.instructions == "Be brief."
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens

    def test_a_stream_is_typed_events_in_order(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model="starter", input="Hello!") as stream:
            events = list(stream)
            final = stream.get_final_response()

        kinds = [event.type for event in events]
        assert kinds[:4] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
        ]
        assert kinds[-4:] == [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert deltas == final.output_text == events[-4].text
        assert final.usage.output_tokens > 0

    def test_one_that_is_cut_is_incomplete(self, client: openai.OpenAI) -> None:
        whole = client.responses.create(model="starter", input="Hello!", max_output_tokens=2)
        *_, last = client.responses.create(model="starter", input="Hello!", max_output_tokens=2, stream=True)

        assert whole.status == last.response.status == "incomplete"
        assert last.type == "response.incomplete"
        assert whole.incomplete_details.reason == "max_output_tokens"

    @pytest.mark.parametrize("choice", ["auto", "required"])
    def test_a_round_trip_with_the_clients_calculator(self, client: openai.OpenAI, choice: Any) -> None:
        history: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": SUM}]}]
        first = client.responses.create(
            model="starter", input=history, tools=[FLAT_CALCULATOR], tool_choice=choice
        )
        [call] = first.output
        assert isinstance(call, ResponseFunctionToolCall)
        assert "expression" in json.loads(call.arguments)

        history += first.output
        history.append({"type": "function_call_output", "call_id": call.call_id, "output": "42"})
        second = client.responses.create(model="starter", input=history, tools=[FLAT_CALCULATOR])

        assert "42" in second.output_text

    def test_a_streamed_call_is_an_item(self, client: openai.OpenAI) -> None:
        events = list(
            client.responses.create(model="starter", input=SUM, tools=[FLAT_CALCULATOR], stream=True)
        )

        kinds = [event.type for event in events]
        assert "response.function_call_arguments.done" in kinds
        [call] = events[-1].response.output
        assert json.loads(call.arguments) == {"expression": "6 * 7"}

    def test_a_schema_is_kept_to(self, client: openai.OpenAI) -> None:
        form: Any = {"format": {"type": "json_schema", "name": "person", "schema": PERSON_SCHEMA}}

        answer = client.responses.create(model="starter", input="Hello!", text=form)

        assert json.loads(answer.output_text).keys() == {"name", "mood", "age"}

    def test_logprobs_come_where_they_are_included(self, client: openai.OpenAI) -> None:
        answer = client.responses.create(
            model="starter",
            input="Hello!",
            include=["message.output_text.logprobs"],
            top_logprobs=2,
            max_output_tokens=3,
        )

        [message] = answer.output
        assert isinstance(message, ResponseOutputMessage)
        logprobs = message.content[0].logprobs
        assert "".join(token.token for token in logprobs) == answer.output_text
        assert {len(token.top_logprobs) for token in logprobs} == {2}

    def test_an_automatic_truncation_leaves_out_the_oldest(self, client: openai.OpenAI) -> None:
        turns: Any = [{"role": "user", "content": "Hello! " * 300}] * 4 + [
            {"role": "user", "content": "Hello!"}
        ]

        answer = client.responses.create(model="starter", input=turns, truncation="auto", max_output_tokens=4)
        with pytest.raises(openai.BadRequestError) as told:
            client.responses.create(model="starter", input=turns)

        assert answer.usage.input_tokens < 2048
        assert (told.value.code, told.value.param) == ("context_length_exceeded", "input")


class TestModels:
    def test_the_list_names_models_and_flows(self, client: openai.OpenAI, api_server: ApiServer) -> None:
        listed = {model.id: model for model in client.models.list()}

        assert {"starter", f"flow:{api_server.flow_id}"} <= listed.keys()
        assert {model.object for model in listed.values()} == {"model"}
        assert all(model.created > 0 and model.owned_by for model in listed.values())
        for name in listed:
            assert client.models.retrieve(name).id == name
        assert client.models.retrieve("flow:Parley").id == f"flow:{api_server.flow_id}"

    def test_each_entry_has_the_fields_of_the_other_client_too(self, api_server: ApiServer) -> None:
        entries = requests.get(f"{api_server.url}/v1/models", headers=api_server.headers, timeout=60).json()[
            "data"
        ]

        assert [entry["name"] for entry in entries if entry["default_model"]] == ["starter"]
        for entry in entries:
            assert entry["description"]
            assert (entry["read_only"], entry["parent_model"], entry["revision"]) == (True, None, 0)
            assert entry["last_modified"] > 0
            assert 0 <= entry["temperature"] <= 2
            assert 0 <= entry["top_p"] <= 1

    @pytest.mark.parametrize("name", ["nothing", "a/b", "../x", "flow:nothing", "flow:", "ü"])
    def test_an_unknown_one_is_not_found(self, client: openai.OpenAI, name: str) -> None:
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(name)

    def test_a_copy_cannot_be_made_yet(self, api_server: ApiServer) -> None:
        response = requests.post(
            f"{api_server.url}/v1/models", headers=api_server.headers, json={"name": "x"}, timeout=60
        )

        assert response.status_code == 501
        assert response.json() == {
            "type": "error",
            "message": "Training is not available in this version: models cannot be copied yet.",
        }


class TestEmbeddings:
    def test_without_a_model_for_it_it_is_not_found(self, client: openai.OpenAI) -> None:
        for model in ("nothing", "starter"):
            with pytest.raises(openai.NotFoundError) as told:
                client.embeddings.create(model=model, input="Hello")

            assert (told.value.code, told.value.param) == ("model_not_found", "model")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"input": None}, "input"),
            ({"input": ""}, "input"),
            ({"input": []}, "input"),
            ({"input": [[1, 2]]}, "input"),
            ({"model": None}, "model"),
            ({"encoding_format": "hex"}, "encoding_format"),
            ({"dimensions": 0}, "dimensions"),
        ],
    )
    def test_a_wrong_field_is_named(self, api_server: ApiServer, change: dict[str, Any], field: str) -> None:
        body = {"model": "x", "input": "Hello", **change}
        response = requests.post(
            f"{api_server.url}/v1/embeddings", headers=api_server.headers, json=body, timeout=60
        )

        assert (response.status_code, response.json()["error"]["param"]) == (400, field)
