"""The events of runs as a text completion: chunks of a stream, or one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chat.api.openai.choices import ChoicesEncoder, Style
from chat.api.openai.fold import ClientTools, Outcome, finite
from chat.domain.events import Event, RunFinished, TextDelta, TokenLogprob


@dataclass(frozen=True, slots=True)
class CompletionStyle(Style):
    """What the client asked for; `echoes` is what stands before each choice, `num_same` how many share a prompt."""

    echoes: tuple[str, ...]
    num_same: int


class CompletionEncoder(ChoicesEncoder):
    """An `AnswerEncoder`."""

    object_kind = chunk_kind = "text_completion"

    def __init__(self, style: CompletionStyle) -> None:
        super().__init__(style, [Outcome(ClientTools(), style.id) for _ in style.echoes], style.num_same)
        self._style = style
        self._lengths = [len(echo) for echo in style.echoes]  # of the text that was told, in characters

    def _opening(self, number: int) -> str:
        echo = self._style.echoes[number]
        return self._chunk(number, echo) if echo else ""

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
        return self._chunk_of(_choice(number, text, finish_reason, logprobs))

    def _choice(self, number: int, outcome: Outcome) -> dict[str, Any]:
        text = self._style.echoes[number] + outcome.text
        return _choice(number, text, outcome.finish_reason, self._logprobs(number, outcome.logprobs))

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


def _choice(number: int, text: str, finish_reason: str | None, logprobs: Any) -> dict[str, Any]:
    return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}
