"""A run's events as the viewers of a link may see them, while the answer is being written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    HistoryTrimmed,
    Numbered,
    ReasoningDelta,
    RunFailed,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.runs.shared_chat import Extras

_NEVER = (ApprovalAsked, ApprovalAnswered, HistoryTrimmed, UsageReported)
_WITH_TOOLS = (ReasoningDelta, ToolStarted, ToolFinished)
# What the model does unseen is "writing" for the viewer, who can give no permission either.
_HIDDEN_STATES = ("searching", "thinking", "calling", "asking")


class SharedEvents:
    """Leaves out what is not shared. A pure function of the events so far, like the page that is made of them."""

    def __init__(self, extras: Extras) -> None:
        self._extras = extras
        self._has_text = False
        self._is_paragraph_due = False

    def of(self, batch: Iterable[Numbered]) -> list[Numbered]:
        """The next events, fewer than there were."""
        shown = ((numbered, self._shown(numbered.event)) for numbered in batch)
        return [replace(numbered, event=event) for numbered, event in shown if event is not None]

    def _shown(self, event: Event) -> Event | None:
        match event:
            case TextDelta(text):
                return self._text(text)
            case SourcesFound():
                return self._extras.of_sources(event)
            case StatusChanged(state=state) if state in _HIDDEN_STATES:
                return StatusChanged("writing")
            case RunFailed(code=code):
                return RunFailed(code, "")
        if isinstance(event, _NEVER):
            return None
        if isinstance(event, _WITH_TOOLS) and not self._extras.tools:
            self._is_paragraph_due = self._has_text
            return None
        return event

    def _text(self, text: str) -> TextDelta:
        """What stood between two stretches of text is gone, but they are no one sentence."""
        gap = "\n\n" if self._is_paragraph_due else ""
        self._has_text, self._is_paragraph_due = True, False
        return TextDelta(gap + text)
