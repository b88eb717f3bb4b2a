"""Markdown while it is written: finished blocks once and for ever, the open block again each time.

A cut between blocks is made only where nothing that may follow can change what stands before it, and only by
looking at complete lines. So what a reader gets depends on the text so far and not on how it was chopped up.

The one thing that can come too late is a link definition (`[1]: https://...` at the end of an answer): blocks that
were sent stay as they are, and `has_late_links` says that `render` of the whole text would now link them. The
page takes that at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from django.utils.safestring import SafeString, mark_safe
from markdown_it.common.utils import escapeHtml, normalizeReference
from markdown_it.token import Token

from chat.web.markdown.citations import NO_CITATIONS, Citations
from chat.web.markdown.half_open import parse_half_open
from chat.web.markdown.highlight import highlight, language_label, split_open_code
from chat.web.markdown.render import References, code_figure, normalize, parse_blocks, render_blocks
from chat.web.markdown.sanitize import sanitize

# Lines that can begin a block although no blank line stands before them.
_INTERRUPTER = re.compile(
    r" {0,3}(?:`{3}|~{3}|\$\$|\\\[|>|#{1,6}(?:\s|$)|(?:[-*+]|\d{1,9}[.)])(?:\s|$)|([-*_])(?:[ \t]*\1){2,}[ \t]*$)"
)
_AFTER_BLANK = re.compile(r" {0,3}[^\s]")
_OPENING_FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`\n]*$)|~{3,})(.*)")
_CLOSING_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*$")
# The mark of a list item or quote: a line with the mark of the open block's first line only goes on with it.
_SERIES = re.compile(r" {0,3}(?:([-*+>])|\d{1,9}([.)]))\s")
_LABEL = re.compile(r"\[([^\[\]]+)\]")
# A longer open block is shown in steps of 1/64 of its length: in full it would be rendered, and sent, as often as
# a short one, and the work for one huge list or paragraph would grow with the square of its length.
_STEPPED_FROM_CHARS = 2_048


@dataclass(frozen=True, slots=True)
class Delta:
    """What a piece of text changed: blocks that are now finished, and the open block in place of the last one."""

    finished: list[SafeString]
    open: SafeString


@dataclass(frozen=True, slots=True)
class _Fence:
    """A fenced code block at the top level that has not been closed."""

    indent: int
    marks: str
    info: str

    def is_closed_by(self, line: str) -> bool:
        closing = _CLOSING_FENCE.match(line)
        return closing is not None and closing[1].startswith(self.marks)

    def may_be_closed_by(self, partial: str) -> bool:
        mark = partial.strip()
        return mark != "" and (self.marks.startswith(mark) or self.is_closed_by(partial))


class MarkdownStream:
    """Renders a text that arrives in pieces."""

    def __init__(self, citations: Citations = NO_CITATIONS) -> None:
        self.finished: list[SafeString] = []
        self.open = SafeString("")
        self.has_late_links = False
        self.citations = citations  # for what is rendered from now on
        self._references: References = {}
        self._unlinked: set[str] = set()
        self._lines: list[str] = []
        self._partial = ""
        self._held_return = ""
        self._fence: _Fence | None = None
        self._open_source = ""

    @classmethod
    def of(cls, text: str, citations: Citations = NO_CITATIONS) -> Self:
        """A stream that has been fed `text`: what a reader gets who comes at this point."""
        stream = cls(citations)
        stream.feed(text)
        return stream

    @property
    def html(self) -> SafeString:
        """All that is to be seen now."""
        return mark_safe("".join([*self.finished, self.open]))  # noqa: S308 (joins safe strings)

    def feed(self, text: str) -> Delta:
        """Take the next piece of text."""
        blocks = self._take(text)
        self.open = self._render_open()
        return Delta(blocks, self.open)

    def finish(self) -> Delta:
        """No more text comes: the open block is finished as it stands."""
        blocks = self._take("\n") if self._held_return else []
        self._lines.append(self._partial)
        rest = self._flush()
        self.finished += rest
        self._partial = ""
        return Delta(blocks + rest, self.open)

    def _take(self, text: str) -> list[SafeString]:
        text = self._held_return + text
        # A carriage return may be half of a line end.
        self._held_return = "\r" if text.endswith("\r") else ""
        *lines, self._partial = (self._partial + normalize(text.removesuffix("\r"))).split("\n")
        blocks = [block for line in lines for block in self._take_line(f"{line}\n")]
        self.finished += blocks
        return blocks

    def _take_line(self, line: str) -> list[SafeString]:
        """Add a complete line; returns the block that it finished, if any."""
        if self._fence is not None:
            self._lines.append(line)
            return self._flush() if self._fence.is_closed_by(line) else []
        blocks = self._flush() if self._begins_block(line) else []
        if not self._lines:
            if _is_blank(line):
                return blocks
            self._fence = _opened_fence(line)
        self._lines.append(line)
        return blocks

    def _begins_block(self, line: str) -> bool:
        """Whether this line stands outside all that the open lines began, so that those are finished."""
        if not self._lines or not self._may_begin_block(line):
            return False
        tops = [token for token in parse_blocks("".join(self._lines) + line, {}) if _is_top(token)]
        if not tops or _first_line(tops[-1]) != len(self._lines):
            return False
        # Without a blank line between, the lines before may be a link definition that this line goes on with.
        return _is_blank(self._lines[-1]) or (len(tops) > 1 and _end_line(tops[-2]) == len(self._lines))

    def _may_begin_block(self, line: str) -> bool:
        """A quick look that spares a parse for most lines; to overlook a border only delays it."""
        is_after_blank = _is_blank(self._lines[-1])
        if (_AFTER_BLANK if is_after_blank else _INTERRUPTER).match(line) is None:
            return False
        series = _series(line)
        return series == "" or series != _series(self._lines[0]) or (series == ">" and is_after_blank)

    def _flush(self) -> list[SafeString]:
        """Render the open lines for good and begin afresh."""
        source = "".join(self._lines)
        self._lines, self._fence, self._open_source, self.open = [], None, "", SafeString("")
        known = set(self._references)
        tokens = parse_blocks(source, self._references)
        html = render_blocks(tokens, self._references, self.citations)
        self._note_late_links(source, self._references.keys() - known)
        return [html] if html else []

    def _note_late_links(self, source: str, new_labels: set[str]) -> None:
        self.has_late_links |= not self._unlinked.isdisjoint(new_labels)
        labels = {normalizeReference(label) for label in _LABEL.findall(source)}
        self._unlinked |= labels - self._references.keys()

    def _render_open(self) -> SafeString:
        if self._fence is not None:
            return _open_code(self._fence, self._open_code_text(self._fence))
        source = _stepped("".join(self._lines) + self._partial)
        if source == self._open_source:
            return self.open
        self._open_source = source
        references = dict(self._references)
        return render_blocks(parse_half_open(source, references), references, self.citations)

    def _open_code_text(self, fence: _Fence) -> str:
        lines = self._lines[1:]
        if not fence.may_be_closed_by(self._partial):
            lines.append(self._partial)
        if fence.indent:
            lines = [re.sub(rf"^ {{0,{fence.indent}}}", "", line) for line in lines]
        return _stepped("".join(lines))


def _stepped(source: str) -> str:
    """The beginning of a long open block that is shown now; a short one whole."""
    if len(source) < _STEPPED_FROM_CHARS:
        return source
    step = 1 << (len(source).bit_length() - 7)
    return source[: len(source) // step * step]


def _is_blank(line: str) -> bool:
    return not line.strip(" \t\n")


def _is_top(token: Token) -> bool:
    return token.level == 0 and token.nesting >= 0 and token.map is not None


def _first_line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _end_line(token: Token) -> int:
    return token.map[1] if token.map else 0


def _series(line: str) -> str:
    found = _SERIES.match(line)
    return (found[1] or found[2]) if found else ""


def _opened_fence(line: str) -> _Fence | None:
    found = _OPENING_FENCE.match(line)
    return _Fence(len(found[1]), found[2], found[3]) if found else None


def _open_code(fence: _Fence, code: str) -> SafeString:
    """A code block that grows: what has its colours already is not coloured again."""
    parts = split_open_code(code)
    inside = _clean_code(parts.highlighted, fence.info) + sanitize(escapeHtml(parts.plain))
    frame = sanitize(code_figure(language_label(fence.info), ""))
    return mark_safe(frame.replace("</code>", f"{inside}</code>"))  # noqa: S308 (all three parts are sanitized)


@lru_cache(maxsize=64)
def _clean_code(code: str, info: str) -> SafeString:
    return sanitize(highlight(code, info))
