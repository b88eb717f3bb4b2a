"""Ask an engine something and hear all of the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chat.domain.events import TokenLogprob
from chat.domain.messages import ChatMessage, ToolCall, ToolSpec
from chat.domain.params import AdapterFile, GenerationRequest, SamplingParams
from chat.engine.pieces import CallPiece, EndPiece, Generation, Piece, ReasoningPiece, StatePiece, TextPiece

GARDENER = "You are a friendly gardener who knows everything about plants."


@dataclass(slots=True)
class Heard:
    """What came of a generation; `end` is there when it came to one."""

    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    states: list[StatePiece] = field(default_factory=list)
    end: EndPiece | None = None

    def take(self, piece: Piece) -> None:
        match piece:
            case TextPiece():
                self.text += piece.text
                self.logprobs += piece.logprobs
            case ReasoningPiece():
                self.reasoning += piece.text
            case CallPiece():
                self.calls.append(piece.call)
            case StatePiece():
                self.states.append(piece)
            case EndPiece():
                self.end = piece

    @property
    def state_names(self) -> list[str]:
        """The states in order, without repeats in a row."""
        names = [state.state for state in self.states]
        return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


def ask(
    text: str,
    *,
    system: str = GARDENER,
    scope: str = "alice",
    reply_prefix: str = "",
    history: tuple[ChatMessage, ...] = (),
    tools: tuple[ToolSpec, ...] = (),
    grammar: str = "",
    top_logprobs: int | None = None,
    is_alone: bool = False,
    adapter: AdapterFile | None = None,
    **params: Any,
) -> GenerationRequest:
    """A request at temperature 0 for 40 tokens, unless `params` say otherwise."""
    messages = (
        *([ChatMessage.of("system", system)] if system else []),
        *history,
        ChatMessage.of("user", text),
    )
    sampling = SamplingParams(**{"temperature": 0.0, "max_tokens": 40, **params})
    return GenerationRequest(
        messages,
        sampling,
        tools,
        scope=scope,
        reply_prefix=reply_prefix,
        grammar=grammar,
        top_logprobs=top_logprobs,
        is_alone=is_alone,
        adapter=adapter,
    )


def complete(
    prompt: str, *, grammar: str = "", top_logprobs: int | None = None, reply_prefix: str = "", **params: Any
) -> GenerationRequest:
    """The same for a raw prompt."""
    sampling = SamplingParams(**{"temperature": 0.0, "max_tokens": 40, **params})
    return GenerationRequest(
        params=sampling,
        scope="alice",
        prompt=prompt,
        reply_prefix=reply_prefix,
        grammar=grammar,
        top_logprobs=top_logprobs,
    )


def hear(
    generation: Generation, *, until: Callable[[Heard], bool] = lambda heard: False, timeout_s: float = 30.0
) -> Heard:
    """Read to the end, or until `until` is true of what was heard."""
    heard = Heard()
    while heard.end is None and not until(heard):
        piece = generation.next(timeout_s)
        assert piece is not None, f"nothing came for {timeout_s} s after {heard}"
        heard.take(piece)
    return heard


def is_writing(heard: Heard) -> bool:
    """True once some text has come."""
    return bool(heard.text)
