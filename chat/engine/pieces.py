"""What a generation yields, and the two interfaces that the rest of the program sees. Knows nothing of llama.cpp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from chat.domain.events import RunState, TokenLogprob
from chat.domain.messages import ToolCall
from chat.domain.params import GenerationRequest
from chat.engine.prompt_trace import PromptSpan

EndReason = Literal["stop", "length", "stopped", "tool_calls"]


@dataclass(frozen=True, slots=True)
class StatePiece:
    """The generation entered a state, or got further in it."""

    state: RunState
    position: int | None = None
    progress: float | None = None
    estimated_s: int | None = None


@dataclass(frozen=True, slots=True)
class TextPiece:
    """More text for the reader: whole characters, no markers, no stop strings.

    `logprobs` are those of the tokens that made it, when the request asked for them.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ReasoningPiece:
    """More text of the model's thinking."""

    text: str


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A complete tool call. `call.id` is unique within the generation."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class GenerationUsage:
    """Counts in tokens, times in milliseconds."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queued_ms: int
    prompt_ms: int
    completion_ms: int


@dataclass(frozen=True, slots=True)
class EndPiece:
    """The last piece of a generation that did not fail."""

    reason: EndReason
    usage: GenerationUsage


Piece = StatePiece | TextPiece | ReasoningPiece | CallPiece | EndPiece


class Generation(Protocol):
    """One reply being generated."""

    def next(self, timeout_s: float | None = None) -> Piece | None:
        """Wait for the next piece; None when `timeout_s` passed without one. Nothing follows an `EndPiece`.

        Raises: ChatError when the generation failed; it is then over.
        """

    def cancel(self) -> None:
        """Stop within one step; an `EndPiece("stopped")` follows. Does nothing after the end."""


# "waiting": for memory, before it loads.
EngineState = Literal["stopped", "waiting", "loading", "ready", "restarting", "failed"]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How an engine is doing, for the health page and the metrics.

    `num_written_tokens` and `num_restarts` count since the engine began. `pid` is its child's, None without one.
    """

    state: EngineState
    model: str
    num_slots: int
    num_running: int
    num_queued: int
    context_tokens: int
    detail: str = ""
    num_written_tokens: int = 0
    num_restarts: int = 0
    pid: int | None = None


class Engine(Protocol):
    """One loaded model that generates many replies at once."""

    def submit(self, request: GenerationRequest) -> Generation:
        """Queue a reply. Never blocks on the model: rendering and tokenizing errors arrive from `Generation.next`.

        Raises: Overloaded when the queue is full, EngineFailed when the engine is beyond repair.
        """

    def count_tokens(self, request: GenerationRequest) -> int:
        """Length of the rendered prompt in tokens; loads the model when it is not loaded.

        Raises: ChatError when the model cannot be loaded or its template fails.
        """

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        """The prompt of a conversation as the model reads it, with where each stretch comes from. As `count_tokens`."""

    def status(self) -> EngineStatus:
        """A snapshot; never blocks."""

    def close(self) -> None:
        """End the engine and everything that runs on it."""
