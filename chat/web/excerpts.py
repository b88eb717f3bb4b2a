"""A stretch of a document's text, in pages, with a passage marked: never all of a long text at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from django.db.models import Min
from django.db.models.functions import Length, Substr

from chat.models import Chunk, Document

WINDOW_CHARS = 50_000
# So much of the text before a passage is shown with it.
LEAD_CHARS = 5_000
# A stretch ends with a line, if one ends this close.
LINE_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A bit of text, of the passage or not. A passage over several pages has several; the first is the place to go."""

    text: str
    is_marked: bool = False
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What of a page is in the stretch. `number` is None in a document without pages."""

    number: int | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """`text[begin:end]` of a document with `num_chars` characters."""

    pages: tuple[Page, ...]
    begin: int
    end: int
    num_chars: int

    @property
    def earlier(self) -> int | None:
        """Where the stretch before this one begins; None at the start."""
        return max(0, self.begin - WINDOW_CHARS) if self.begin else None

    @property
    def later(self) -> int | None:
        """Where the stretch after this one begins; None at the end."""
        return self.end if self.end < self.num_chars else None


def passage_in(query: Mapping[str, str]) -> range:
    """The characters from `start` to `end`; empty for nonsense."""
    start, end = _number(query.get("start", "")), _number(query.get("end", ""))
    return range(0) if start is None or end is None else range(start, end)


def begin_in(query: Mapping[str, str]) -> int | None:
    """Where the wanted stretch begins; None when that is left open."""
    return _number(query.get("from", ""))


def excerpt_of(document: Document, *, passage: range, begin: int | None) -> Excerpt:
    """The stretch from `begin`, or else the one that the passage is in."""
    texts = Document.objects.filter(pk=document.pk)
    num_chars = texts.values_list(Length("text"), flat=True)[0]
    around = max(0, passage.start - LEAD_CHARS) if passage and begin is None else begin or 0
    first = min(around, num_chars)
    text = texts.values_list(Substr("text", first + 1, WINDOW_CHARS), flat=True)[0]
    if first + len(text) < num_chars:
        text = _whole_lines(text, at_least=passage.stop - first if passage else 0)
    stretch = range(first, first + len(text))
    return Excerpt(tuple(_pages(document, text, stretch, passage)), first, stretch.stop, num_chars)


def _pages(document: Document, text: str, stretch: range, passage: range) -> list[Page]:
    marked = range(max(stretch.start, passage.start), min(stretch.stop, passage.stop))
    return [
        Page(number, tuple(_pieces(text, stretch.start, part, marked)))
        for number, part in _page_ranges(document, stretch)
    ]


def _pieces(text: str, begin: int, part: range, marked: range) -> Iterator[Piece]:
    """`part` of the document, before, in and after the marked characters; `text` begins at `begin`."""
    start = min(max(part.start, marked.start), part.stop) if marked else part.stop
    stop = min(max(start, marked.stop), part.stop) if marked else part.stop
    words = [text[low - begin : high - begin] for low, high in pairwise((part.start, start, stop, part.stop))]
    before, within, after = words
    if before:
        yield Piece(before)
    if within:
        yield Piece(within, is_marked=True, is_first=start == marked.start)
    if after:
        yield Piece(after)


def _page_ranges(document: Document, stretch: range) -> list[tuple[int | None, range]]:
    """The pages in the stretch. A page begins where its first chunk does; what stands before the first is blank."""
    paged = Chunk.objects.filter(document=document, page__isnull=False)
    begins = list(paged.values_list("page").annotate(begin=Min("start")).order_by("begin"))
    if not begins:
        return [(None, stretch)] if stretch else []
    edges = [0, *(begin for _, begin in begins[1:]), max(stretch.stop, begins[-1][1])]
    ranges = [range(max(low, stretch.start), min(high, stretch.stop)) for low, high in pairwise(edges)]
    return [(number, part) for (number, _), part in zip(begins, ranges, strict=True) if part]


def _whole_lines(text: str, at_least: int) -> str:
    """Cut at the last line's end, unless that is far back or within the passage."""
    end = text.rfind("\n") + 1
    return text[:end] if end >= max(len(text) - LINE_CHARS, at_least) else text


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
