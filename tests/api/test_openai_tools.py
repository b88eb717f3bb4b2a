"""Tools and formats of chat completions, by the real `openai` package against a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.api.conftest import ApiServer
from tests.api.openai_client import (
    CALCULATOR,
    HELLO,
    PERSON_SCHEMA,
    SUM,
    streamed,
    sync_client,
    text_of,
)


@pytest.fixture
def client(api_server: ApiServer) -> Iterator[openai.OpenAI]:
    with sync_client(api_server) as client:
        yield client


class TestTools:
    def test_a_round_trip_with_the_clients_calculator(self, client: openai.OpenAI) -> None:
        asked: Any = {"model": "starter", "tools": [CALCULATOR]}
        first = client.chat.completions.create(messages=SUM, **asked).choices[0]
        [call] = first.message.tool_calls
        assert first.finish_reason == "tool_calls"
        assert json.loads(call.function.arguments) == {"expression": "6 * 7"}

        result: Any = {"role": "tool", "tool_call_id": call.id, "content": "42"}
        second = client.chat.completions.create(
            messages=[*SUM, first.message.model_dump(exclude_none=True), result], **asked
        )

        assert "42" in second.choices[0].message.content

    def test_a_streamed_call_can_be_put_together(self, client: openai.OpenAI) -> None:
        chunks = streamed(client, messages=SUM, tools=[CALCULATOR])

        deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        assert {delta.index for delta in deltas} == {0}
        assert deltas[0].id
        assert deltas[0].function.name == "calculator"
        arguments = "".join(delta.function.arguments or "" for delta in deltas)
        assert json.loads(arguments) == {"expression": "6 * 7"}
        assert chunks[-1].choices[0].finish_reason == "tool_calls"

    @pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "calculator"}}])
    @pytest.mark.parametrize("stream", [False, True])
    def test_a_call_can_be_demanded(self, client: openai.OpenAI, choice: Any, stream: bool) -> None:
        other = {"type": "function", "function": {"name": "other", "parameters": {"$ref": "#/$defs/none"}}}
        other["function"]["parameters"] = {  # type: ignore[index]
            "type": "object",
            "properties": {"n": {"$ref": "#/$defs/count"}},
            "$defs": {"count": {"type": "integer"}},
        }
        asked: Any = {"messages": HELLO, "tools": [CALCULATOR, other], "tool_choice": choice}

        if stream:
            chunks = streamed(client, **asked)
            calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
            reason, text = chunks[-1].choices[0].finish_reason, text_of(chunks)
        else:
            [answer] = client.chat.completions.create(model="starter", **asked).choices
            calls, reason, text = answer.message.tool_calls, answer.finish_reason, answer.message.content

        assert len(calls) == 1
        assert calls[0].function.name in ("calculator", "other")
        if choice != "required":
            assert calls[0].function.name == "calculator"
        assert isinstance(json.loads(calls[0].function.arguments), dict)
        assert (reason, not text) == ("tool_calls", True)

    def test_with_none_nothing_is_called(self, client: openai.OpenAI) -> None:
        [choice] = client.chat.completions.create(
            model="starter", messages=SUM, tools=[CALCULATOR], tool_choice="none"
        ).choices

        assert choice.message.tool_calls is None
        assert choice.message.content

    def test_parallel_calls_and_their_results_are_taken(self, client: openai.OpenAI) -> None:
        calls = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": "calculator", "arguments": json.dumps({"expression": f"{number} * 7"})},
            }
            for number in (6, 7)
        ]
        messages: Any = [
            {"role": "user", "content": "What is 6 * 7, and what is 7 * 7?"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "call_7", "content": "49"},
            {"role": "tool", "tool_call_id": "call_6", "content": [{"type": "text", "text": "42"}]},
        ]

        answer = client.chat.completions.create(model="starter", messages=messages, tools=[CALCULATOR])

        assert answer.choices[0].message.content


class TestFormats:
    @pytest.mark.parametrize("tools", [[], [CALCULATOR]])
    def test_a_schema_is_kept_to_also_beside_tools(self, client: openai.OpenAI, tools: Any) -> None:
        form: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON_SCHEMA}}

        [choice] = client.chat.completions.create(
            model="starter", messages=HELLO, response_format=form, tools=tools or openai.NOT_GIVEN
        ).choices

        if choice.message.tool_calls:
            assert json.loads(choice.message.tool_calls[0].function.arguments).keys() == {"expression"}
            return
        person = json.loads(choice.message.content)
        assert person.keys() == {"name", "mood", "age"}
        assert person["mood"] in ("glad", "sad")
        assert 0 <= person["age"] <= 120

    def test_a_json_object_begins_as_one(self, client: openai.OpenAI) -> None:
        [choice] = client.chat.completions.create(
            model="starter", messages=HELLO, response_format={"type": "json_object"}, max_tokens=40
        ).choices

        assert choice.message.content.startswith("{")
        if choice.finish_reason == "stop":
            assert isinstance(json.loads(choice.message.content), dict)
