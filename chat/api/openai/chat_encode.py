"""The events of runs as a chat completion: chunks of a stream, or one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chat.api.openai.answering import sse
from chat.api.openai.errors import error_in_stream
from chat.api.openai.fold import ClientTools, Outcome, call_of, chat_logprobs, total_usage
from chat.domain.errors import ChatError
from chat.domain.events import Event, Numbered, ReasoningDelta, RunFinished, TextDelta, ToolStarted

DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class ChatStyle:
    """What the client asked for beside the words."""

    id: str
    created: int
    model: str
    num_choices: int
    tools: ClientTools
    has_logprobs: bool
    has_usage_chunk: bool


class ChatEncoder:
    """An `AnswerEncoder`."""

    def __init__(self, style: ChatStyle) -> None:
        self._style = style
        self._outcomes = [Outcome(style.tools, f"{style.id}:{number}") for number in range(style.num_choices)]
        self._begun: set[int] = set()

    def feed(self, number: int, batch: list[Numbered]) -> str:
        """The chunks of a batch; the first of a choice tells the role."""
        chunks = []
        if number not in self._begun:
            self._begun.add(number)
            chunks.append(self._chunk(number, {"role": "assistant", "content": ""}))
        outcome = self._outcomes[number]
        chunks += [self._told(number, event) for it in batch for event in outcome.take(it.event)]
        return "".join(chunks)

    def gather(self, number: int, batch: list[Numbered]) -> None:
        """Take in a batch for the whole answer."""
        for numbered in batch:
            self._outcomes[number].take(numbered.event)

    def end(self) -> str:
        """The usage, where it was asked for, and the mark of the end."""
        if not self._style.has_usage_chunk:
            return DONE
        return sse({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()}) + DONE

    def failure(self, error: ChatError) -> str:
        """The error as an event."""
        return sse(error_in_stream(error)) + DONE

    def whole(self) -> Mapping[str, Any]:
        """The chat completion."""
        choices = [self._choice(number, outcome) for number, outcome in enumerate(self._outcomes)]
        return {**self._head("chat.completion"), "choices": choices, "usage": self._usage()}

    def _head(self, kind: str) -> dict[str, Any]:
        style = self._style
        return {"id": style.id, "object": kind, "created": style.created, "model": style.model}

    def _told(self, number: int, event: Event) -> str:
        match event:
            case TextDelta():
                logprobs = chat_logprobs(event.logprobs) if self._style.has_logprobs else None
                return self._chunk(number, {"content": event.text}, logprobs=logprobs)
            case ReasoningDelta():
                return self._chunk(number, {"reasoning_content": event.text})
            case ToolStarted():
                index = len(self._outcomes[number].calls) - 1
                return self._chunk(number, {"tool_calls": [{"index": index, **call_of(event)}]})
            case RunFinished():
                return self._chunk(number, {}, finish_reason=self._outcomes[number].finish_reason)
        return ""

    def _chunk(
        self, number: int, delta: dict[str, Any], *, finish_reason: str | None = None, logprobs: Any = None
    ) -> str:
        choice = {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        chunk = {**self._head("chat.completion.chunk"), "choices": [choice]}
        return sse({**chunk, "usage": None} if self._style.has_usage_chunk else chunk)

    def _choice(self, number: int, outcome: Outcome) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": outcome.text, "refusal": None}
        if outcome.thoughts:
            message["reasoning_content"] = "".join(outcome.thoughts)
        if outcome.calls:
            message["content"] = outcome.text or None
            message["tool_calls"] = [call_of(call) for call in outcome.calls]
        logprobs = chat_logprobs(outcome.logprobs) if self._style.has_logprobs else None
        return {
            "index": number,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": outcome.finish_reason,
        }

    def _usage(self) -> dict[str, Any]:
        return total_usage(self._outcomes, self._style.num_choices)
