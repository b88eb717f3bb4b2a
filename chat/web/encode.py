"""A run's events as server-sent events of HTML: what is finished is sent once, only the open block is sent again."""

from __future__ import annotations

from collections.abc import Iterator

from django.template.loader import render_to_string
from django.utils.html import escape

from chat.domain.events import Numbered, ReasoningDelta, TextDelta
from chat.models import Run
from chat.web.part_views import PartView, ReasoningView, TextView, ToolView
from chat.web.partials import partial, sse_message
from chat.web.prose import Prose, StoredProse
from chat.web.reply_view import ReplyView
from chat.web.seen import Seen, SeenCall, SeenProse, seen_part

# Tells the browser how long to wait before it comes back; later waits grow by themselves.
RETRY = "retry: 2000\n"
CLOSE = "event: done\ndata: \n\n"


class ReplyEncoder:
    """Tells a page that shows the first N events of a reply what the next ones change.

    What stands around the reply differs from page to page: see `PageEncoder` and `chat/web/shared_log.py`.
    """

    sources_template = "chat/_sources.html"
    end_template = "chat/_end.html"
    closing = ""

    def __init__(self, view: ReplyView) -> None:
        self._view = view
        self._preface = RETRY
        self._sent: Seen | None = None
        self._wait_until_ms = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the page has been told of the reply's end."""
        return not self._view.is_live

    def skip(self, batch: list[Numbered]) -> None:
        """Take in what the page has already."""
        for numbered in batch:
            self._view.apply(numbered)

    def feed(self, batch: list[Numbered]) -> str:
        """The changes that these events make, with those that were kept back; "" keeps them back again.

        The reader's place is the last event that something was sent for, so nothing is lost by waiting.
        """
        sent = self._sent or Seen.of(self._view)
        self.skip(batch)
        if self._can_wait(batch, sent):
            return ""
        now = self._sent = Seen.of(self._view)
        html = "".join(self._changes(sent, now))
        self._wait_until_ms = batch[-1].at_ms + now.pause_ms
        closing = "" if self._view.is_live else self.closing
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

    def _can_wait(self, batch: list[Numbered], sent: Seen) -> bool:
        """Only more of the text that is open, so soon after a long block that sending it again would be a waste."""
        return (
            batch[-1].at_ms < self._wait_until_ms
            and self._view.has_own_parts == sent.has_own_parts
            and len(self._view.parts) == len(sent.parts)
            and all(isinstance(numbered.event, (TextDelta, ReasoningDelta)) for numbered in batch)
        )

    def _changes(self, seen: Seen, now: Seen) -> Iterator[str]:
        view = self._view
        yield from self._part_changes(seen)
        if now.sources != seen.sources:
            yield partial(
                f"#message-{view.message_id}-sources", "innerHTML", self._render(self.sources_template)
            )
        if now.num_trimmed != seen.num_trimmed:
            yield partial(f"#message-{view.message_id}-note", "innerHTML", self._render("chat/_trimmed.html"))
        if now.status != seen.status:
            yield partial("#status-text", "innerHTML", escape(now.status))
        if now.announcement != seen.announcement:
            yield partial("#announcement", "innerHTML", escape(now.announcement))
        if not view.is_live:
            yield from self.end()

    def _part_changes(self, seen: Seen) -> Iterator[str]:
        view, target = self._view, f"#message-{self._view.message_id}-parts"
        if view.has_own_parts and not seen.has_own_parts:
            yield partial(target, "innerHTML", "".join(map(self._render_part, view.parts)))
            return
        for part, seen_of_it in zip(view.parts, seen.parts, strict=False):
            yield from self._changes_of(part, seen_of_it)
        if new := view.parts[len(seen.parts) :]:
            yield partial(target, "beforeend", "".join(map(self._render_part, new)))

    def _changes_of(self, part: PartView, seen: SeenProse | SeenCall) -> Iterator[str]:
        if seen_part(part) == seen:
            return
        target = f"#message-{self._view.message_id}-part-{part.index}"
        if isinstance(part, ToolView) or isinstance(seen, SeenCall) or _is_other_throughout(part, seen):
            # Stripped: the line end after the old one stays.
            yield partial(target, "outerHTML", self._render_part(part).strip())
        else:
            yield from _prose_changes(part.prose, seen, f"{target}-open")

    def _render_part(self, part: PartView) -> str:
        return render_to_string(part.template, {"part": part, **self.part_context()})

    def _render(self, template: str) -> str:
        return render_to_string(template, {"view": self._view})

    def part_context(self) -> dict[str, object]:
        """What the templates of parts need besides the part."""
        return {"message_id": self._view.message_id}

    def end(self) -> Iterator[str]:
        """What the end of the reply changes besides its parts."""
        yield partial(f"#message-{self._view.message_id}-end", "innerHTML", self._render(self.end_template))


class PageEncoder(ReplyEncoder):
    """The chat's own page: an answer that its owner may stop, and whose tools ask for their word."""

    closing = CLOSE

    def __init__(self, run: Run) -> None:
        super().__init__(ReplyView(run.reply_id, run.reply.content))
        self._run = run

    def part_context(self) -> dict[str, object]:
        """With the run, which the buttons of a tool's card name."""
        return {**super().part_context(), "run_id": self._run.pk}

    def end(self) -> Iterator[str]:
        """Its footer, Send in place of Stop, the meter of the context, and no dot any more in the sidebar."""
        yield from super().end()
        meter = render_to_string("chat/_context.html", {"usage": self._view.reply.usage})
        yield partial("#context", "innerHTML", meter)
        yield partial("#composer-action", "innerHTML", self._render("chat/_send.html"))
        yield partial(f"#dot-{self._run.conversation_id}", "innerHTML", "")


def _is_other_throughout(part: TextView | ReasoningView, seen: SeenProse) -> bool:
    """Whether blocks that were finished have changed: by links and passages found late, or because all folds."""
    prose = part.prose
    is_folding = part.is_foldable and not prose.is_open
    return is_folding or prose.is_rewritten or prose.num_recitings != seen.num_recitings


def _prose_changes(prose: Prose | StoredProse, seen: SeenProse, target: str) -> Iterator[str]:
    """Finished blocks go in front of the open one; at the end they take its place."""
    finished = "".join(prose.blocks[seen.num_blocks :])
    if not prose.is_open:
        yield partial(target, "outerHTML", finished)
        return
    if finished:
        yield partial(target, "beforebegin", finished)
    if prose.open_block != seen.open_block:
        yield partial(target, "innerHTML", prose.open_block)
