"""What the model is asked, and what is left out when it does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chat.domain.messages import (
    ChatMessage,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
    part_to_dict,
)
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.pieces import EngineStatus
from chat.models import Message
from chat.runs.prompt import build_request, fit, going_on, split_reply

CALL = ToolCall("c1", "calculator", {"expression": "1+1"})
RESULT = ToolResult("c1", "calculator", "2")


def message(role: str, *parts: Any) -> Message:
    return Message(role=role, parts=[part_to_dict(part) for part in parts])


def request(*history: Message, reply: tuple[Any, ...] = ()) -> GenerationRequest:
    asked = build_request(
        history, system_prompt="Be kind.", params=SamplingParams(max_tokens=50), tools=(), scope="s"
    )
    return going_on(asked, reply)


@dataclass
class Counter:
    """Counts a token for each character, as an engine would count its own."""

    context_tokens: int

    def status(self) -> EngineStatus:
        return EngineStatus("ready", "m", 1, 0, 0, self.context_tokens)

    def count_tokens(self, request: GenerationRequest) -> int:
        return sum(len(m.text) for m in request.messages)


def test_tool_results_become_turns_of_their_own() -> None:
    built = request(
        message("user", TextPart("1+1?")),
        message("assistant", CALL, RESULT, TextPart("2.")),
        message("user", TextPart("Thanks")),
    )

    assert [m.role for m in built.messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert built.messages[2].parts == (CALL,)


def test_the_reply_goes_on_after_its_last_result() -> None:
    built = request(message("user", TextPart("1+1?")), reply=(CALL, RESULT, TextPart("It is ")))

    assert [m.role for m in built.messages] == ["system", "user", "assistant", "tool"]
    assert built.reply_prefix == "It is "


def test_a_call_that_never_got_its_result_is_left_out() -> None:
    assert split_reply([TextPart("Let me see. "), CALL]) == ([], "Let me see. ")


def test_thinking_that_was_cut_short_is_given_back_whole() -> None:
    _, prefix = split_reply([ReasoningPart("Hm."), TextPart("So")])

    assert prefix == "<think>\nHm.\n</think>\n\nSo"


def long_chat(num_turns: int) -> list[Message]:
    turns = [
        message(role, TextPart(f"{i:03d}" + "x" * 97))
        for i in range(num_turns)
        for role in ("user", "assistant")
    ]
    return [*turns, message("user", TextPart("the last question"))]


def test_the_oldest_messages_are_left_out_until_it_fits() -> None:
    prompt = fit(request(*long_chat(50)), Counter(1000))

    kept = prompt.request.messages
    assert kept[0] == ChatMessage.of("system", "Be kind.")
    assert kept[1].role == "user"
    assert kept[-1].text == "the last question"
    assert prompt.num_trimmed == 92
    assert Counter(0).count_tokens(prompt.request) <= 950


def test_a_chat_that_fits_is_left_whole() -> None:
    prompt = fit(request(*long_chat(3)), Counter(100_000))

    assert prompt.num_trimmed == 0
    assert len(prompt.request.messages) == 8


def test_the_last_question_stays_even_when_it_alone_is_too_long() -> None:
    prompt = fit(request(*long_chat(2), message("user", TextPart("y" * 5000))), Counter(1000))

    assert [m.role for m in prompt.request.messages] == ["system", "user"]
