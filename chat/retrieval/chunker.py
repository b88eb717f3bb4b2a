"""Cuts a text into passages for search, where a reader would: at headings, paragraphs, rows, sentences.

The time grows with the length of the text, whatever it holds: each cut looks at one window of `TARGET_CHARS`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

TARGET_CHARS = 800
# A better place to cut this early is taken, rather than a worse one later.
MIN_CHARS = 200
# How much of a paragraph that had to be cut is said again by the next passage.
OVERLAP_CHARS = 100


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`; `page` counts from 1, None in a text without pages."""

    start: int
    end: int
    page: int | None = None


class Break(IntEnum):
    """What a cut parts from each other; the lower, the better the place."""

    HEADING = 0
    PARAGRAPH = 1
    ROW = 2
    SENTENCE = 3
    LINE = 4
    WORD = 5
    LETTER = 6


_LINE = re.compile(r"[^\n]*\n?")
_HEADING = re.compile(r"#{1,6} ")
_ROW = re.compile(r"\||\s*(?:[-*+]|\d{1,3}[.)]) ")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[^`\n]*$", re.MULTILINE)
_NOT_SPACE = re.compile(r"\S")
_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]]*\s+|[。！？]""")
_INNER_ENDS = (
    (Break.SENTENCE, _SENTENCE_END),
    (Break.LINE, re.compile(r"\n")),
    (Break.WORD, re.compile(r"\s")),
)


def chunks_of(text: str, page_starts: Sequence[int]) -> list[Span]:
    """Passages in order that hold every letter of the text; none crosses from one page to the next.

    `page_starts` are the offsets of the pages, in order; empty for a text without pages.
    """
    breaks = list(_line_breaks(text))
    starts = [offset for offset, _ in breaks]
    spans: list[Span] = []
    for page, (page_start, page_end) in enumerate(_pages(text, page_starts), start=1):
        number = page if page_starts else None
        start = _next_letter(text, page_start, page_end)
        while start < page_end:
            end, kind = _cut(text, start, page_end, breaks, starts)
            spans.append(Span(start, start + len(text[start:end].rstrip()), number))
            start = _next_start(text, start, end, page_end, kind)
    return spans


def _pages(text: str, page_starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    edges = [0, *page_starts[1:], len(text)]
    yield from pairwise(edges)


def _line_breaks(text: str) -> Iterator[tuple[int, Break]]:
    """Good places to cut, by what begins there. None inside a block of code but between its lines."""
    was_empty, after_heading, fence = True, False, ""
    for line in _LINE.finditer(text):
        begins = _NOT_SPACE.search(text, *line.span())
        if begins is None:
            was_empty = True
            continue
        content_start = line.start()
        mark = _FENCE.match(text, content_start)
        if fence:
            yield content_start, Break.ROW
            fence = "" if mark and mark[1].startswith(fence) else fence
            was_empty = not fence
            continue
        if not after_heading:
            if _HEADING.match(text, content_start):
                yield content_start, Break.HEADING
            elif was_empty or mark:
                yield content_start, Break.PARAGRAPH
            elif _ROW.match(text, content_start):
                yield content_start, Break.ROW
        fence = mark[1] if mark else ""
        after_heading = _HEADING.match(text, content_start) is not None
        was_empty = False


def _cut(
    text: str, start: int, page_end: int, breaks: Sequence[tuple[int, Break]], starts: Sequence[int]
) -> tuple[int, Break]:
    """Where the passage that begins at `start` ends, and what is parted there."""
    limit = start + TARGET_CHARS
    if limit >= page_end:
        return page_end, Break.PARAGRAPH
    low, high = bisect_left(starts, start + MIN_CHARS), bisect_right(starts, limit)
    if low < high:
        offset, kind = min(breaks[low:high], key=lambda place: (place[1], -place[0]))
        return offset, kind
    for kind, pattern in _INNER_ENDS:
        ends = [found.end() for found in pattern.finditer(text, start + MIN_CHARS, limit)]
        if ends:
            return ends[-1], kind
    return limit, Break.LETTER


def _next_start(text: str, start: int, end: int, page_end: int, kind: Break) -> int:
    """The next passage's first letter; where a paragraph was cut, a little before the cut."""
    if Break.SENTENCE <= kind <= Break.WORD and end < page_end:
        back = max(end - OVERLAP_CHARS, start + 1)
        for _, pattern in _INNER_ENDS[kind - Break.SENTENCE :]:
            if (found := pattern.search(text, back, end)) and _next_letter(text, found.end(), end) < end:
                return _next_letter(text, found.end(), page_end)
    return _next_letter(text, end, page_end)


def _next_letter(text: str, start: int, page_end: int) -> int:
    found = _NOT_SPACE.search(text, start, page_end)
    return found.start() if found else page_end
