"""The events of an answer as a plain list, for readers without scripts and for those who look closely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    HistoryTrimmed,
    Numbered,
    ReasoningDelta,
    RunFailed,
    RunFinished,
    RunStarted,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)

MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class EventRow:
    """`at` is in seconds since the run was created; `words` are the model's or a tool's."""

    at: str
    what: str
    words: str = ""


def event_rows(events: Sequence[Numbered]) -> list[EventRow]:
    """The first of them, in order."""
    return [EventRow(f"{each.at_ms / 1000:.3f} s", *_told(each.event)) for each in events[:MAX_ROWS]]


def _told(event: Event) -> tuple[str, str]:
    match event:
        case RunStarted(model):
            return f"Begun by {model}", ""
        case StatusChanged(state, position, progress):
            more = f" {position}" if position else f" {progress:.0%}" if progress is not None else ""
            return f"State: {state}{more}", ""
        case SourcesFound(sources):
            return f"Passages found: {len(sources)}", ""
        case HistoryTrimmed(num_messages):
            return f"Messages left out: {num_messages}", ""
        case ReasoningDelta(text):
            return "Thought", text
        case TextDelta(text):
            return "Text", text
        case ToolStarted(_, name):
            return f"Tool called: {name}", ""
        case ToolFinished(_, name, content):
            return f"Tool answered: {name}", content[:200]
        case ApprovalAsked():
            return "Permission asked", ""
        case ApprovalAnswered(_, is_allowed):
            return "Permission given" if is_allowed else "Permission denied", ""
        case UsageReported():
            return f"Tokens written: {event.completion_tokens:,}", ""
        case RunFinished(reason):
            return f"Ended: {reason}", ""
        case RunFailed(_, message):
            return f"Failed: {message}", ""
        case _:
            assert_never(event)
