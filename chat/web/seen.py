"""What the reader of a stream has of a reply: two of these tell what must be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chat.domain.calls import CallPhase
from chat.domain.events import Source
from chat.web.part_views import PartView, ToolView
from chat.web.reply_view import ReplyView
from chat.web.words import announcement, status_text

_CHARS_PER_MS = 40
_MAX_PAUSE_MS = 500


@dataclass(frozen=True, slots=True)
class SeenProse:
    """How much of a text the reader has."""

    num_blocks: int
    open_block: str
    is_open: bool
    num_recitings: int


@dataclass(frozen=True, slots=True)
class SeenCall:
    """What the reader has of a tool call."""

    phase: CallPhase
    is_allowed: bool | None
    is_open: bool
    has_result: bool
    open_block: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class SeenSources:
    """What the reader has been told of the search in documents."""

    has_searched: bool
    sources: tuple[Source, ...]
    is_lexical: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reader has of a reply."""

    has_own_parts: bool
    parts: tuple[SeenProse | SeenCall, ...]
    sources: SeenSources
    status: str
    announcement: str
    num_trimmed: int

    @property
    def pause_ms(self) -> float:
        """How long the open block may stay as it is: it is sent whole, a list of 10 KB four times a second."""
        open_chars = max((len(part.open_block) for part in self.parts), default=0)
        return min(_MAX_PAUSE_MS, open_chars / _CHARS_PER_MS)

    @classmethod
    def of(cls, view: ReplyView) -> Seen:
        """All that the page shows of it now."""
        reply = view.reply
        return cls(
            view.has_own_parts,
            tuple(seen_part(part) for part in view.parts),
            SeenSources(reply.has_searched, reply.sources, reply.is_lexical),
            status_text(view),
            announcement(view),
            reply.num_trimmed,
        )


def seen_part(part: PartView) -> SeenProse | SeenCall:
    """What a reader has who has been shown this part."""
    if isinstance(part, ToolView):
        return SeenCall(part.phase, part.is_allowed, part.is_open, part.result is not None)
    prose = part.prose
    return SeenProse(len(prose.blocks), prose.open_block, prose.is_open, prose.num_recitings)
