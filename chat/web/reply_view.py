"""What the page shows of one reply: a pure function of its run's events, or of the stored message.

A page made from the first N events, changed by what the stream sends for the rest, is the page made from all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self, assert_never

from django.utils.safestring import SafeString

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
from chat.web.markdown import MarkdownStream, render

# A page shows 50 messages: opening a conversation again costs no second rendering.
_rendered = lru_cache(maxsize=512)(render)


class Prose:
    """Markdown as HTML blocks: those that will not change any more, and the one that is still open.

    Rendered when looked at: a reader who comes late costs one rendering, not one for each event.
    """

    def __init__(self) -> None:
        self.text = ""
        self.is_open = True
        self._num_rendered = 0
        self._stream = MarkdownStream()

    def feed(self, text: str) -> None:
        """Take in more text."""
        self.text += text

    def close(self) -> None:
        """Nothing follows: what is open is finished as it stands."""
        if self.is_open:
            self._catch_up()
            self._stream.finish()
            self.is_open = False

    @property
    def blocks(self) -> list[SafeString]:
        """What will not change any more."""
        self._catch_up()
        return [_rendered(self.text)] if self.is_rewritten else self._stream.finished

    @property
    def is_rewritten(self) -> bool:
        """Closed, and links in it came to life by what was defined only after them."""
        return not self.is_open and self._stream.has_late_links

    @property
    def open_block(self) -> SafeString:
        """What may still change; "" once closed."""
        self._catch_up()
        return self._stream.open

    def _catch_up(self) -> None:
        if self.is_open and self._num_rendered < len(self.text):
            self._stream.feed(self.text[self._num_rendered :])
            self._num_rendered = len(self.text)


@dataclass(frozen=True, slots=True)
class StoredProse:
    """The Markdown of a reply that has ended."""

    text: str
    is_open: ClassVar[bool] = False
    is_rewritten: ClassVar[bool] = False
    open_block: ClassVar[str] = ""

    @property
    def blocks(self) -> list[SafeString]:
        """The whole in one piece."""
        return [_rendered(self.text)]


@dataclass(slots=True)
class TextView:
    """A stretch of the answer."""

    index: int
    prose: Prose | StoredProse
    template: ClassVar[str] = "chat/_text.html"
    is_foldable: ClassVar[bool] = False


@dataclass(slots=True)
class ReasoningView:
    """What the model thought; `duration_ms` counts once the thinking is over."""

    index: int
    prose: Prose | StoredProse
    duration_ms: int = 0
    template: ClassVar[str] = "chat/_reasoning.html"
    is_foldable: ClassVar[bool] = True


@dataclass(slots=True)
class ToolView:
    """A tool call and, once it is there, its result. `is_over`: the run ended, no result will come."""

    index: int
    call: ToolCall
    result: ToolResult | None = None
    is_over: bool = False
    template: ClassVar[str] = "chat/_tool_call.html"

    @property
    def is_running(self) -> bool:
        """Still waiting for the result."""
        return self.result is None and not self.is_over

    @property
    def verb(self) -> str:
        """What is happening or has happened with the tool."""
        if self.result is None:
            return "Broke off calling" if self.is_over else "Calling"
        return "Error calling" if self.result.is_error else "Called"


PartView = TextView | ReasoningView | ToolView


class ReplyView:
    """A reply as the page shows it after the events applied so far.

    A run that continues a reply begins with the `stored` parts; its log repeats them, and from then on counts.
    """

    def __init__(self, message_id: int, stored: Iterable[Part] = ()) -> None:
        self.message_id = message_id
        self.reply = ReplyBuilder()
        self._own: list[PartView] = []
        self._stored = [*_views_of(stored)]

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
            case RunStarted() | StatusChanged() | SourcesFound() | HistoryTrimmed() | UsageReported():
                pass  # the fold has it; the templates ask there
            case ApprovalAsked() | ApprovalAnswered():
                pass
            case TextDelta(text) | ReasoningDelta(text):
                self._write(text)
            case ToolStarted():
                self._add_newest()
            case ToolFinished():
                self._take_result()
            case RunFinished() | RunFailed():
                self._end()
            case _:
                assert_never(event)

    def _write(self, text: str) -> None:
        if not self._own or self._own[-1].index != len(self.reply.parts) - 1:
            self._add_newest()
        last = self._own[-1]
        if not isinstance(last, ToolView) and isinstance(last.prose, Prose):
            last.prose.feed(text)

    def _add_newest(self) -> None:
        self._close_last()
        index = len(self.reply.parts) - 1
        match part := self.reply.parts[index]:
            case TextPart():
                self._own.append(TextView(index, Prose()))
            case ReasoningPart():
                self._own.append(ReasoningView(index, Prose()))
            case ToolCall():
                self._own.append(ToolView(index, part))
            case ToolResult():
                pass  # shown with its call

    def _take_result(self) -> None:
        self._close_last()
        result = self.reply.parts[-1]
        for view in self._own:
            if (
                isinstance(view, ToolView)
                and isinstance(result, ToolResult)
                and view.call.id == result.call_id
            ):
                view.result = result

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
        for view in self._own:
            if isinstance(view, ToolView):
                view.is_over = True


def _views_of(parts: Iterable[Part]) -> Iterator[PartView]:
    """Views of a stored reply: a call stands with its result."""
    parts = list(parts)
    results = {part.call_id: part for part in parts if isinstance(part, ToolResult)}
    for index, part in enumerate(parts):
        match part:
            case TextPart():
                yield TextView(index, StoredProse(part.text))
            case ReasoningPart():
                yield ReasoningView(index, StoredProse(part.text), part.duration_ms)
            case ToolCall():
                yield ToolView(index, part, results.get(part.id), is_over=True)
            case ToolResult():
                pass  # shown with its call
