"""What the page shows of one reply: a pure function of its run's events, or of the stored message.

A page made from the first N events, changed by what the stream sends for the rest, is the page made from all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self, assert_never

from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
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
from chat.domain.messages import Part, ReasoningPart, TextPart, ToolCall, ToolResult
from chat.domain.reply import ReplyBuilder
from chat.web.citations import SourceView, citations_of, source_views
from chat.web.markdown import NO_CITATIONS
from chat.web.part_views import PartView, ReasoningView, TextView, ToolView, stored_views
from chat.web.prose import Prose


class ReplyView:
    """A reply as the page shows it after the events applied so far.

    A run that continues a reply begins with the `stored` parts; its log repeats them, and from then on counts.
    """

    def __init__(self, message_id: int, stored: Iterable[Part] = ()) -> None:
        self.message_id = message_id
        self.reply = ReplyBuilder()
        self._own: list[PartView] = []
        self._stored = stored_views(stored)
        self._citations = NO_CITATIONS

    @classmethod
    def of_events(cls, message_id: int, stored: Iterable[Part], events: Iterable[Numbered]) -> Self:
        """The view after these events."""
        view = cls(message_id, stored)
        for numbered in events:
            view.apply(numbered)
        return view

    @property
    def parts(self) -> list[PartView]:
        """What to show, in order."""
        return self._own or self._stored

    @property
    def has_own_parts(self) -> bool:
        """Whether the run itself has written something."""
        return bool(self._own)

    @property
    def is_live(self) -> bool:
        """More events will come."""
        return self.reply.terminal is None

    @property
    def calls(self) -> list[ToolView]:
        """The tool calls among the parts."""
        return [part for part in self.parts if isinstance(part, ToolView)]

    @property
    def sources(self) -> list[SourceView]:
        """The passages that the answer may draw on."""
        return source_views(self.reply.sources)

    @property
    def text(self) -> str:
        """The answer's Markdown, for copying."""
        return "".join(part.prose.text for part in self.parts if isinstance(part, TextView))

    def apply(self, numbered: Numbered) -> None:
        """Take in the next event."""
        self.reply.apply(numbered)
        event = numbered.event
        if not isinstance(event, (ReasoningDelta, StatusChanged)):
            self._end_thinking()
        match event:
            case RunStarted() | StatusChanged() | HistoryTrimmed() | UsageReported():
                pass  # the fold has it; the templates ask there
            case SourcesFound():
                self._cite()
            case ApprovalAsked(call_id) | ApprovalAnswered(call_id):
                self._take_word(call_id, numbered.at_ms)
            case TextDelta(text) | ReasoningDelta(text):
                self._write(text, numbered.at_ms)
            case ToolStarted():
                self._add_newest(numbered.at_ms)
            case ToolFinished():
                self._take_result()
            case RunFinished() | RunFailed():
                self._end()
            case _:
                assert_never(event)

    def _write(self, text: str, at_ms: int) -> None:
        if not self._own or self._own[-1].index != len(self.reply.parts) - 1:
            self._add_newest(at_ms)
        last = self._own[-1]
        if not isinstance(last, ToolView) and isinstance(last.prose, Prose):
            last.prose.feed(text)

    def _add_newest(self, at_ms: int) -> None:
        self._close_last()
        for call in self._own_calls():
            call.has_passed |= call.result is not None
        index = len(self.reply.parts) - 1
        match part := self.reply.parts[index]:
            case TextPart():
                self._own.append(TextView(index, Prose(self._citations)))
            case ReasoningPart():
                self._own.append(ReasoningView(index, Prose()))
            case ToolCall():
                self._own.append(ToolView(index, part, started_ms=at_ms))
                self._take_word(part.id, at_ms)
            case ToolResult():
                pass  # shown with its call

    def _take_result(self) -> None:
        self._close_last()
        result = self.reply.parts[-1]
        for call in self._own_calls():
            if isinstance(result, ToolResult) and call.call.id == result.call_id:
                call.result = result

    def _take_word(self, call_id: str, at_ms: int) -> None:
        """Whether a person must allow the call, and whether they did; its time counts from then on."""
        if call_id not in self.reply.approvals:
            return
        for view in self.calls:
            if view.call.id == call_id:
                view.take_word(self.reply.approvals[call_id])
                view.started_ms = at_ms

    def _cite(self) -> None:
        """Numbers in all of the text lead to the passages known now."""
        self._citations = citations_of(self.message_id, self.reply.sources)
        for view in (*self._stored, *self._own):
            if isinstance(view, TextView):
                view.prose.cite(self._citations)

    def _end_thinking(self) -> None:
        last = self._own[-1] if self._own else None
        if isinstance(last, ReasoningView) and last.prose.is_open:
            self._close_last()

    def _close_last(self) -> None:
        last = self._own[-1] if self._own else None
        if last is None or isinstance(last, ToolView) or not isinstance(last.prose, Prose):
            return
        last.prose.close()
        part = self.reply.parts[last.index]
        if isinstance(last, ReasoningView) and isinstance(part, ReasoningPart):
            last.duration_ms = part.duration_ms

    def _end(self) -> None:
        self._close_last()
        for call in self._own_calls():
            call.is_over = call.has_passed = True

    def _own_calls(self) -> Iterator[ToolView]:
        return (view for view in self._own if isinstance(view, ToolView))
