"""Complete a line of words that breaks off: close what is open, hide what is not yet anything.

`**bold` shows bold, `[text](http://exa` shows "text", `$x^` shows nothing until its formula is complete.
This is a guess at what comes, made again with each piece of text; the finished block is parsed as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from chat.web.markdown.math_rules import can_open_dollar, find_inline_math, is_prose

_IMAGE_MARK = re.compile(r"(?<!\S)!$")
_SPECIAL = re.compile(rf"\\|`+|\$\$?|\[|\]|<|&|\*+|_+|~+|{_IMAGE_MARK.pattern}")
_PARTIAL_TAG = re.compile(r"<[^\s<>]*")
_AUTOLINK = re.compile(r"<[^\s<>]*>")
_PARTIAL_ENTITY = re.compile(r"&#?\w{0,8}")
_PRICE = re.compile(r"\d[\d.,]*[\s\-–—)/%;:!?kKmMbB]")
_PARTIAL_TARGET = re.compile(
    r"\(\s*(?:<[^<>\n]*|[^\s()]*(?:\([^\s()]*\)?[^\s()]*)*)(?:\s+(?:[\"'(][^\"')]*[\"')]?\s*)?)?"
)
_TARGET = re.compile(
    r"\(\s*(?:<[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^)]*\)))?\s*\)"
)
_SUBSCRIPT = re.compile(r"[A-Za-z0-9]\[")
_REFERENCE = re.compile(r"\[[^\]]*\]")
_CITATION = re.compile(r"\[[1-9]\d{0,2}\]")
_PARTIAL_CITATION = re.compile(r"\[(?:[1-9]\d{0,2}\]?)?")
# A formula or bracket that has been open for longer was never meant as one.
_MAX_OPEN_CHARS = 300


def complete_inline(text: str) -> str:
    """Markdown for one block's words, completed so that it renders without raw marks at its end."""
    return _Completion(text).result()


@dataclass(frozen=True, slots=True)
class _Opener:
    """A run of one mark that waits for its end: `**`, `_`, `~~`."""

    start: int
    mark: str
    length: int


class _Completion:
    """One walk over the text, which may shorten it (`text`), cut pieces out (`cuts`) or add to it (`suffix`)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.suffix = ""
        self.cuts: list[tuple[int, int]] = []
        self.openers: list[_Opener] = []
        self.brackets: list[int] = []
        self.steps: dict[str, Callable[[int, str], int]] = {
            "\\": self._escape, "`": self._code, "$": self._dollar, "<": self._angle, "&": self._entity,
            "[": self._bracket, "]": self._closing_bracket, "!": self._exclamation,
            "*": self._emphasis, "_": self._emphasis, "~": self._emphasis,
        }  # fmt: skip

    def result(self) -> str:
        """The completed text."""
        position = 0
        while found := _SPECIAL.search(self.text, position):
            position = self.steps[found[0][0]](found.start(), found[0])
        self._cut_open_brackets()
        self._cut_empty_openers()
        closers = "".join(opener.mark * opener.length for opener in reversed(self.openers))
        return self._shown(0).rstrip() + closers

    def _shown(self, start: int) -> str:
        """The text from `start` on, without the pieces that were cut out."""
        pieces = []
        for cut_start, cut_end in sorted(self.cuts):
            if cut_end > start:
                pieces.append(self.text[start:cut_start])
                start = max(start, cut_end)
        return "".join(pieces) + self.text[start:] + self.suffix

    def _end_at(self, position: int) -> int:
        """Show nothing from `position` on."""
        self.text = self.text[:position]
        return position

    def _escape(self, start: int, _mark: str) -> int:
        if (math := find_inline_math(self.text, start)) is not None:
            return math.end
        after = self.text[start + 1 : start + 2]
        is_open_math = after in ("(", "[") and len(self.text) - start < _MAX_OPEN_CHARS
        return self._end_at(start) if not after or is_open_math else start + 2

    def _code(self, start: int, run: str) -> int:
        content_start = start + len(run)
        closing = re.compile(rf"(?<!`){run}(?!`)").search(self.text, content_start)
        if closing is not None:
            return closing.end()
        content = self.text[content_start:].rstrip("`")
        if not content.strip():
            return self._end_at(start)
        self.text = self.text[:content_start] + content
        self.suffix = f"{' ' if content.endswith('`') else ''}{run}"
        return len(self.text)

    def _dollar(self, start: int, mark: str) -> int:
        if (math := find_inline_math(self.text, start)) is not None:
            return math.end
        content = self.text[start + len(mark) :]
        can_open = len(mark) == 2 or can_open_dollar(self.text, start)
        is_text = (
            is_prose(content) or _PRICE.match(content) or len(content) > _MAX_OPEN_CHARS or "$" in content
        )
        return start + len(mark) if is_text or not can_open else self._end_at(start)

    def _bracket(self, start: int, _mark: str) -> int:
        if _PARTIAL_CITATION.fullmatch(self.text, start):
            return self._end_before_bracket(start)
        # No link begins in "x[1]" (but 见[文档](..) does, where no spaces are written) nor in "[^1]".
        if _SUBSCRIPT.match(self.text, max(start - 1, 0)) is None and self.text[start + 1 : start + 2] != "^":
            self.brackets.append(start)
        return start + 1

    def _closing_bracket(self, start: int, _mark: str) -> int:
        if not self.brackets:
            return start + 1
        opening = self.brackets.pop()
        following = _TARGET.match(self.text, start + 1) or _REFERENCE.match(self.text, start + 1)
        if following is not None:
            return following.end()
        if self._may_get_target(start + 1):
            if _CITATION.fullmatch(self.text, opening, start + 1):
                return self._end_before_bracket(opening)
            self._cut_bracket(opening)
            self._end_at(start)
        return start + 1

    def _end_before_bracket(self, opening: int) -> int:
        """Show nothing of a number in brackets until it is clear whether it cites a passage or is a link's text."""
        return self._end_at(opening - (_IMAGE_MARK.search(self.text[:opening]) is not None))

    def _may_get_target(self, position: int) -> bool:
        rest = self.text[position:]
        is_reference = rest.startswith("[") and "]" not in rest
        return not rest or is_reference or _PARTIAL_TARGET.fullmatch(rest) is not None

    def _cut_bracket(self, opening: int) -> None:
        """Cut out `[`, or `![` of an image."""
        is_image = opening > 0 and self.text[opening - 1] == "!"
        self.cuts.append((opening - is_image, opening + 1))

    def _cut_open_brackets(self) -> None:
        for opening in self.brackets:
            if len(self.text) - opening < _MAX_OPEN_CHARS:
                self._cut_bracket(opening)

    def _angle(self, start: int, _mark: str) -> int:
        if (autolink := _AUTOLINK.match(self.text, start)) is not None:
            return autolink.end()
        return self._end_at(start) if _PARTIAL_TAG.fullmatch(self.text, start) else start + 1

    def _entity(self, start: int, _mark: str) -> int:
        return self._end_at(start) if _PARTIAL_ENTITY.fullmatch(self.text, start) else start + 1

    def _exclamation(self, start: int, _mark: str) -> int:
        """A last "!" after a space begins an image."""
        return self._end_at(start)

    def _emphasis(self, start: int, run: str) -> int:
        mark, end = run[0], start + len(run)
        if end == len(self.text):
            return self._end_at(start)
        before, after = self.text[start - 1] if start else " ", self.text[end]
        is_inside_word = before.isalnum() and after.isalnum()
        if is_inside_word and mark == "_":
            return end
        length = len(run) - (self._close(mark, len(run)) if _can_end(before, after) else 0)
        # "5*3" is arithmetic and "~5" an estimate, until a second mark says otherwise.
        num_needed = 2 if is_inside_word or mark == "~" else 1
        if length >= num_needed and _can_begin(before, after):
            self.openers.append(_Opener(end - length, mark, length))
        return end

    def _close(self, mark: str, length: int) -> int:
        """Match an end with the openers of its mark; returns how many of its characters were used."""
        num_used = 0
        while num_used < length and any(opener.mark == mark for opener in self.openers):
            opener = self.openers.pop()
            if opener.mark != mark:
                continue
            num_matched = min(opener.length, length - num_used)
            num_used += num_matched
            if num_matched < opener.length:
                self.openers.append(_Opener(opener.start, mark, opener.length - num_matched))
        return num_used

    def _cut_empty_openers(self) -> None:
        """Cut openers that nothing visible follows, innermost first."""
        while self.openers:
            opener = self.openers[-1]
            if self._shown(opener.start + opener.length).strip():
                return
            self.cuts.append((opener.start, opener.start + opener.length))
            self.openers.pop()


def _can_begin(before: str, after: str) -> bool:
    """Left-flanking, in CommonMark's words."""
    return not after.isspace() and (not _is_punctuation(after) or before.isspace() or _is_punctuation(before))


def _can_end(before: str, after: str) -> bool:
    """Right-flanking."""
    return not before.isspace() and (not _is_punctuation(before) or after.isspace() or _is_punctuation(after))


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
