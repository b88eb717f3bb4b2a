"""The events of runs as a text completion: chunks of a stream, or one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.api.openai.answering import sse
from chat.api.openai.chat_encode import DONE
from chat.api.openai.errors import error_in_stream
from chat.api.openai.fold import ClientTools, Outcome, finite, total_usage
from chat.domain.errors import ChatError
from chat.domain.events import Event, Numbered, RunFinished, TextDelta, TokenLogprob


@dataclass(frozen=True, slots=True)
class CompletionStyle:
    """What the client asked for; `echoes` is what stands before each choice, `num_same` how many share a prompt."""

    id: str
    created: int
    model: str
    echoes: tuple[str, ...]
    num_same: int
    has_logprobs: bool
    has_usage_chunk: bool


class CompletionEncoder:
    """An `AnswerEncoder`."""

    def __init__(self, style: CompletionStyle) -> None:
        self._style = style
        self._outcomes = [Outcome(ClientTools(), style.id) for _ in style.echoes]
        self._lengths = [len(echo) for echo in style.echoes]  # of the text that was told, in characters
        self._begun: set[int] = set()

    def feed(self, number: int, batch: list[Numbered]) -> str:
        """The chunks of a batch; the first of a choice may echo its prompt."""
        chunks = []
        if number not in self._begun:
            self._begun.add(number)
            if echo := self._style.echoes[number]:
                chunks.append(self._chunk(number, echo))
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
        return sse({**self._head(), "choices": [], "usage": self._usage()}) + DONE

    def failure(self, error: ChatError) -> str:
        """The error as an event."""
        return sse(error_in_stream(error)) + DONE

    def whole(self) -> Mapping[str, Any]:
        """The completion."""
        choices = []
        for number, outcome in enumerate(self._outcomes):
            text = self._style.echoes[number] + outcome.text
            logprobs = self._logprobs(number, outcome.logprobs)
            choices.append(_choice(number, text, outcome.finish_reason, logprobs))
        return {**self._head(), "choices": choices, "usage": self._usage()}

    def _head(self) -> dict[str, Any]:
        style = self._style
        return {"id": style.id, "object": "text_completion", "created": style.created, "model": style.model}

    def _told(self, number: int, event: Event) -> str:
        match event:
            case TextDelta():
                return self._chunk(number, event.text, logprobs=self._logprobs(number, event.logprobs))
            case RunFinished():
                return self._chunk(number, "", finish_reason=self._outcomes[number].finish_reason)
        return ""

    def _chunk(
        self, number: int, text: str, *, finish_reason: str | None = None, logprobs: Any = None
    ) -> str:
        chunk = {**self._head(), "choices": [_choice(number, text, finish_reason, logprobs)]}
        return sse({**chunk, "usage": None} if self._style.has_usage_chunk else chunk)

    def _logprobs(self, number: int, tokens: Sequence[TokenLogprob]) -> dict[str, Any] | None:
        if not self._style.has_logprobs:
            return None
        offsets = []
        for token in tokens:
            offsets.append(self._lengths[number])
            self._lengths[number] += len(token.token)
        return {
            "tokens": [token.token for token in tokens],
            "token_logprobs": [finite(token.logprob) for token in tokens],
            "top_logprobs": [{text: finite(value) for text, value in token.top} for token in tokens],
            "text_offset": offsets,
        }

    def _usage(self) -> dict[str, Any]:
        return total_usage(self._outcomes, self._style.num_same)


def _choice(number: int, text: str, finish_reason: str | None, logprobs: Any) -> dict[str, Any]:
    return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}
