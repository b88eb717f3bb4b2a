"""A run's events as server-sent events of HTML: what is finished is sent once, only the open block is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.html import escape

from chat.domain.events import Numbered, ReasoningDelta, TextDelta
from chat.models import Run
from chat.web.partials import partial, sse_message
from chat.web.reply_view import PartView, Prose, ReplyView, StoredProse, ToolView
from chat.web.words import announcement, status_text

# Tells the browser how long to wait before it comes back; later waits grow by themselves.
_RETRY = "retry: 2000\n"
CLOSE = "event: done\ndata: \n\n"
_CHARS_PER_MS = 40
_MAX_PAUSE_MS = 500


@dataclass(frozen=True, slots=True)
class _SeenPart:
    """How much of a part the reader has."""

    num_blocks: int
    open_block: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the reader has of a reply."""

    has_own_parts: bool
    parts: tuple[_SeenPart, ...]
    status: str
    announcement: str
    num_trimmed: int

    @property
    def pause_ms(self) -> float:
        """How long the open block may stay as it is: it is sent whole, a list of 10 KB four times a second."""
        open_chars = max((len(part.open_block) for part in self.parts), default=0)
        return min(_MAX_PAUSE_MS, open_chars / _CHARS_PER_MS)

    @classmethod
    def of(cls, view: ReplyView) -> _Seen:
        return cls(
            view.has_own_parts,
            tuple(_seen_part(part) for part in view.parts),
            status_text(view),
            announcement(view),
            view.reply.num_trimmed,
        )


class PageEncoder:
    """Tells a page that shows the first N events what the next ones change."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._view = ReplyView(run.reply_id, run.reply.content)
        self._preface = _RETRY
        self._sent: _Seen | None = None
        self._wait_until_ms = 0.0

    def skip(self, batch: list[Numbered]) -> None:
        """Take in what the page has already."""
        for numbered in batch:
            self._view.apply(numbered)

    def feed(self, batch: list[Numbered]) -> str:
        """The changes that these events make, with those that were kept back; "" keeps them back again.

        The reader's place is the last event that something was sent for, so nothing is lost by waiting.
        """
        sent = self._sent or _Seen.of(self._view)
        self.skip(batch)
        if self._can_wait(batch, sent):
            return ""
        html = "".join(self._changes(sent))
        self._sent = _Seen.of(self._view)
        self._wait_until_ms = batch[-1].at_ms + self._sent.pause_ms
        closing = "" if self._view.is_live else CLOSE
        if not html:
            return closing
        preface, self._preface = self._preface, ""
        return preface + sse_message(html, batch[-1].seq) + closing

    def ping(self) -> str:
        """A comment."""
        return ": ping\n\n"

    def failure(self) -> str:
        """A comment too: the browser comes back by itself and is given what is missing."""
        return ": broken\n\n"

    def _can_wait(self, batch: list[Numbered], sent: _Seen) -> bool:
        """Only more of the text that is open, so soon after a long block that sending it again would be a waste."""
        return (
            batch[-1].at_ms < self._wait_until_ms
            and self._view.has_own_parts == sent.has_own_parts
            and len(self._view.parts) == len(sent.parts)
            and all(isinstance(numbered.event, (TextDelta, ReasoningDelta)) for numbered in batch)
        )

    def _changes(self, seen: _Seen) -> Iterator[str]:
        view = self._view
        yield from self._part_changes(seen)
        if view.reply.num_trimmed != seen.num_trimmed:
            yield partial(f"#message-{view.message_id}-note", "innerHTML", self._render("chat/_trimmed.html"))
        if (status := status_text(view)) != seen.status:
            yield partial("#status-text", "innerHTML", escape(status))
        if (words := announcement(view)) != seen.announcement:
            yield partial("#announcement", "innerHTML", escape(words))
        if not view.is_live:
            yield from self._end()

    def _part_changes(self, seen: _Seen) -> Iterator[str]:
        view, target = self._view, f"#message-{self._view.message_id}-parts"
        if view.has_own_parts and not seen.has_own_parts:
            yield partial(target, "innerHTML", "".join(map(self._render_part, view.parts)))
            return
        for part, seen_part in zip(view.parts, seen.parts, strict=False):
            yield from self._changes_of(part, seen_part)
        if new := view.parts[len(seen.parts) :]:
            yield partial(target, "beforeend", "".join(map(self._render_part, new)))

    def _changes_of(self, part: PartView, seen: _SeenPart) -> Iterator[str]:
        if _seen_part(part) == seen:
            return
        target = f"#message-{self._view.message_id}-part-{part.index}"
        if (
            isinstance(part, ToolView)
            or part.prose.is_rewritten
            or (part.is_foldable and not part.prose.is_open)
        ):
            # Stripped: the line end after the old one stays.
            yield partial(target, "outerHTML", self._render_part(part).strip())
        else:
            yield from _prose_changes(part.prose, seen, f"{target}-open")

    def _end(self) -> Iterator[str]:
        conversation_id = self._run.conversation_id
        yield partial(f"#message-{self._view.message_id}-end", "innerHTML", self._render("chat/_end.html"))
        yield partial("#composer-action", "innerHTML", self._render("chat/_send.html"))
        yield partial(f"#dot-{conversation_id}", "innerHTML", "")

    def _render_part(self, part: PartView) -> str:
        return render_to_string(part.template, {"part": part, "message_id": self._view.message_id})

    def _render(self, template: str) -> str:
        return render_to_string(template, {"view": self._view})


def _prose_changes(prose: Prose | StoredProse, seen: _SeenPart, target: str) -> Iterator[str]:
    """Finished blocks go in front of the open one; at the end they take its place."""
    finished = "".join(prose.blocks[seen.num_blocks :])
    if not prose.is_open:
        yield partial(target, "outerHTML", finished)
        return
    if finished:
        yield partial(target, "beforebegin", finished)
    if prose.open_block != seen.open_block:
        yield partial(target, "innerHTML", prose.open_block)


def _seen_part(part: PartView) -> _SeenPart:
    if isinstance(part, ToolView):
        return _SeenPart(0, "", part.is_running)
    return _SeenPart(len(part.prose.blocks), part.prose.open_block, part.prose.is_open)
