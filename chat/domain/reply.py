"""Folding a run's events into the reply that they tell: the page, the APIs and recovery all use this one fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
    HistoryTrimmed,
    Numbered,
    ReasoningDelta,
    RunFailed,
    RunFinished,
    RunStarted,
    Source,
    SourcesFound,
    StatusChanged,
    Terminal,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.domain.messages import Part, ReasoningPart, TextPart, ToolCall, ToolResult


class ReplyBuilder:
    """The reply after the events applied so far. A pure function of them: replaying gives the same again."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.model = ""
        self.state: StatusChanged | None = None
        self.sources: tuple[Source, ...] = ()
        self.has_searched = False
        self.is_lexical = False
        self.approvals: dict[str, bool | None] = {}  # by call; None while the person is asked
        self.num_trimmed = 0
        self.usage: UsageReported | None = None
        self.terminal: Terminal | None = None
        self.last_seq = 0
        self.duration_ms = 0
        self._thinking_since_ms: int | None = None

    @classmethod
    def of(cls, events: Iterable[Numbered]) -> ReplyBuilder:
        """Fold a whole list."""
        builder = cls()
        for numbered in events:
            builder.apply(numbered)
        return builder

    def apply(self, numbered: Numbered) -> None:
        """Take in the next event; `seq` must follow the last."""
        self.last_seq = numbered.seq
        self.duration_ms = numbered.at_ms
        event = numbered.event
        if not isinstance(event, (ReasoningDelta, StatusChanged)):
            self._end_thinking(numbered.at_ms)
        match event:
            case RunStarted():
                self.model = event.model
            case StatusChanged():
                self.state = event
            case SourcesFound():
                self.sources, self.is_lexical, self.has_searched = event.sources, event.is_lexical, True
            case HistoryTrimmed():
                self.num_trimmed = event.num_messages
            case ReasoningDelta():
                self._think(event.text, numbered.at_ms)
            case TextDelta():
                self._write(event.text)
            case ToolStarted():
                self.parts.append(ToolCall(event.call_id, event.name, event.arguments))
            case ToolFinished():
                self.parts.append(
                    ToolResult(event.call_id, event.name, event.content, event.is_error, event.duration_ms)
                )
            case ApprovalAsked():
                self.approvals[event.call_id] = None
            case ApprovalAnswered():
                self.approvals[event.call_id] = event.is_allowed
            case UsageReported():
                self.usage = event
            case RunFinished() | RunFailed():
                self.terminal = event
            case _:
                assert_never(event)

    def _write(self, text: str) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, TextPart):
            self.parts[-1] = TextPart(last.text + text)
        else:
            self.parts.append(TextPart(text))

    def _think(self, text: str, at_ms: int) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, ReasoningPart) and self._thinking_since_ms is not None:
            self.parts[-1] = replace(last, text=last.text + text)
            return
        self._thinking_since_ms = at_ms
        self.parts.append(ReasoningPart(text))

    def _end_thinking(self, at_ms: int) -> None:
        if self._thinking_since_ms is None:
            return
        last = self.parts[-1]
        if isinstance(last, ReasoningPart):
            self.parts[-1] = replace(last, duration_ms=at_ms - self._thinking_since_ms)
        self._thinking_since_ms = None
