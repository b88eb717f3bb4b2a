"""How events become OpenAI's JSON where the starter model gives no occasion: thinking, many calls, failures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.api.openai.chat_encode import ChatEncoder, ChatStyle
from chat.api.openai.fold import ClientTools
from chat.api.openai.responses_encode import ResponseEncoder, ResponseStyle
from chat.domain.errors import EngineFailed
from chat.domain.events import (
    Event,
    Numbered,
    ReasoningDelta,
    RunFinished,
    RunStarted,
    StatusChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)

EVENTS: list[Event] = [
    RunStarted("m"),
    StatusChanged("reading"),
    ReasoningDelta("Hm"),
    ReasoningDelta("..."),
    ToolStarted("c1", "server_side", {"x": 1}),
    ToolFinished("c1", "server_side", "1", is_error=False, duration_ms=1),
    TextDelta("data: \u2028 "),
    TextDelta("😀"),
    ToolStarted("c2", "mine", {"q": "ü"}),
    ToolStarted("c3", "mine", {}),
    UsageReported(10, 4, 5, 0, 0, 0),
    RunFinished("tool_calls"),
]
THOUGHTS, WORDS = "Hm...", "data: \u2028 😀"


def numbered(events: list[Event]) -> list[Numbered]:
    return [Numbered(number, event, 0) for number, event in enumerate(events, start=1)]


def chat_encoder(*, is_parallel: bool = True, is_written: bool = False) -> ChatEncoder:
    tools = ClientTools(frozenset({"mine"}), is_parallel, is_written)
    shared = {"id": "id", "created": 1, "model": "m", "has_logprobs": False, "has_usage_chunk": False}
    return ChatEncoder(ChatStyle(**shared, num_choices=1, tools=tools))


def response_encoder() -> ResponseEncoder:
    return ResponseEncoder(ResponseStyle("resp_1", 1, ClientTools(frozenset({"mine"})), {"model": "m"}))


def read(text: str) -> list[dict[str, Any]]:
    assert text.isascii()
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_thoughts_words_and_calls_stand_apart() -> None:
    encoder = chat_encoder()
    encoder.gather(0, numbered(EVENTS))

    answer = encoder.whole()

    message = answer["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == (THOUGHTS, WORDS)
    assert [call["id"] for call in message["tool_calls"]] == ["c2", "c3"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"q": "ü"}
    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_stream_says_the_same_however_it_is_cut(size: int) -> None:
    encoder, events = chat_encoder(), numbered(EVENTS)

    batches = [events[start : start + size] for start in range(0, len(events), size)]
    chunks = read("".join(encoder.feed(0, batch) for batch in batches))

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == WORDS
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == THOUGHTS
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert [(call["index"], call["id"]) for call in calls] == [(0, "c2"), (1, "c3")]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_one_call_at_most_where_the_client_wants_no_more() -> None:
    encoder = chat_encoder(is_parallel=False)
    encoder.gather(0, numbered(EVENTS))

    assert [call["id"] for call in encoder.whole()["choices"][0]["message"]["tool_calls"]] == ["c2"]


def test_a_response_is_items_in_their_order_in_both_forms() -> None:
    whole, streamed = response_encoder(), response_encoder()
    whole.gather(0, numbered(EVENTS))

    events = read(streamed.feed(0, numbered(EVENTS)) + streamed.end())

    answer = whole.whole()
    assert [item["type"] for item in answer["output"]] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert answer["output"][0]["content"] == [{"type": "reasoning_text", "text": THOUGHTS}]
    assert answer["output"][1]["content"][0]["text"] == WORDS
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"] == answer
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == answer["output"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_a_failure_is_the_last_word() -> None:
    error = EngineFailed("The engine died.", hint="Again.")
    chat, response = chat_encoder(), response_encoder()
    chat.feed(0, numbered(EVENTS[:4]))
    response.feed(0, numbered(EVENTS[:4]))

    assert chat.failure(error).endswith("data: [DONE]\n\n")
    assert read(chat.failure(error))[-1] == {
        "error": {
            "message": "The engine died. Again.",
            "type": "server_error",
            "param": None,
            "code": "engine_failed",
        }
    }
    [failed] = read(response.failure(error))
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"]["message"] == "The engine died. Again."


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_call_that_a_grammar_wrote_is_read(is_whole: bool) -> None:
    encoder = chat_encoder(is_written=True)
    text = '<tool_call>\n{"name": "mine","arguments": {"q": 1}}\n</tool_call>'
    pieces: list[Event] = [TextDelta(text[:5]), TextDelta(text[5:] if is_whole else text[5:-3])]
    end = RunFinished("stop" if is_whole else "length")
    encoder.gather(0, numbered([*pieces, end]))

    [choice] = encoder.whole()["choices"]

    if is_whole:
        [call] = choice["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"q": 1}
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    else:
        assert (choice["finish_reason"], "tool_calls" in choice["message"]) == ("length", False)
