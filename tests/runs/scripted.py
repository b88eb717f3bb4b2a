"""An engine that says what a test has written down: models cannot be made to call several tools at once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chat.domain.events import Event
from chat.domain.messages import ToolCall, ToolResult
from chat.domain.params import GenerationRequest
from chat.engine.pieces import (
    CallPiece,
    EndPiece,
    EngineStatus,
    GenerationUsage,
    Piece,
    TextPiece,
)
from chat.engine.prompt_trace import PromptSpan
from chat.models import Actor, Run
from chat.runs.service import Chat
from chat.runtime import Runtime

CONTEXT_TOKENS = 4096
_USAGE = GenerationUsage(1, 0, 1, 0, 0, 0)

Round = str | Sequence[ToolCall]


class ScriptedEngine:
    """Each generation is the next of `rounds`: words or calls. Fulfils `Engine`."""

    def __init__(self) -> None:
        self.rounds: list[Round] = []
        self.requests: list[GenerationRequest] = []

    def submit(self, request: GenerationRequest) -> ScriptedGeneration:
        self.requests.append(request)
        return ScriptedGeneration(self.rounds[len(self.requests) - 1])

    def count_tokens(self, request: GenerationRequest) -> int:
        """Two characters each."""
        return len(repr(request.messages)) // 2

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        """All in one."""
        return (PromptSpan("template", repr(request.messages), self.count_tokens(request)),)

    def status(self) -> EngineStatus:
        return EngineStatus("ready", "scripted", 1, 0, 0, CONTEXT_TOKENS)

    def close(self) -> None:
        """It holds nothing."""


class ScriptedGeneration:
    """Fulfils `Generation`."""

    def __init__(self, said: Round) -> None:
        pieces: list[Piece] = (
            [TextPiece(said)] if isinstance(said, str) else [CallPiece(call) for call in said]
        )
        self._pieces = iter([*pieces, EndPiece("stop", _USAGE)])

    def next(self, timeout_s: float | None = None) -> Piece:
        return next(self._pieces)

    def cancel(self) -> None:
        """The end comes soon enough."""


SUM = "What is 37 * 48?"


def ask(runtime: Runtime, actor: Actor, text: str = SUM, chat: Chat | None = None) -> Run:
    return runtime.runs.start_conversation(actor, text, key=uuid.uuid4(), chat=chat)


def events_of(runtime: Runtime, run: Run) -> list[Event]:
    return [numbered.event for numbered in runtime.log.read(run.pk)]


def of_kind(events: list[Event], *kinds: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(f"call_{name}", name, arguments)


def results_in(request: GenerationRequest) -> list[ToolResult]:
    return [part for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
