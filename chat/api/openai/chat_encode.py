"""The events of runs as a chat completion: chunks of a stream, or one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chat.api.openai.choices import ChoicesEncoder, Style
from chat.api.openai.fold import ClientTools, Outcome, call_of, chat_logprobs
from chat.domain.events import Event, ReasoningDelta, RunFinished, TextDelta, ToolStarted


@dataclass(frozen=True, slots=True)
class ChatStyle(Style):
    """What the client asked for beside the words."""

    num_choices: int
    tools: ClientTools


class ChatEncoder(ChoicesEncoder):
    """An `AnswerEncoder`."""

    object_kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"

    def __init__(self, style: ChatStyle) -> None:
        outcomes = [Outcome(style.tools, f"{style.id}:{number}") for number in range(style.num_choices)]
        super().__init__(style, outcomes, style.num_choices)
        self._style = style

    def _opening(self, number: int) -> str:
        return self._chunk(number, {"role": "assistant", "content": ""})

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
        return self._chunk_of(
            {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        )

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
