"""A few words around what was searched for, with the words marked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

NUM_CHARS_BEFORE = 40
NUM_CHARS = 160
# The first match further on than this is not looked for: the snippet is then the beginning.
MAX_CHARS = 50_000

_SPACES = re.compile(r"\s+")


def snippet_of(text: str, terms: Iterable[str]) -> SafeString:
    """Safe HTML: the text around the first match of any of the terms of `query_terms`, matches in `<mark>`."""
    text = _SPACES.sub(" ", text[:MAX_CHARS])
    pattern = _pattern(terms)
    first = pattern.search(_folded(text))
    start = _word_start(text, max(0, first.start() - NUM_CHARS_BEFORE)) if first else 0
    shown = text[start : start + NUM_CHARS]
    html = marked(shown, pattern)
    before, after = "…" if start else "", "…" if start + NUM_CHARS < len(text) else ""
    return mark_safe(f"{before}{html}{after}")  # noqa: S308


def marked_title(title: str, terms: Iterable[str]) -> SafeString:
    """Safe HTML: the whole title, matches in `<mark>`."""
    return mark_safe(marked(title, _pattern(terms)))  # noqa: S308


def marked(text: str, pattern: re.Pattern[str]) -> str:
    """HTML of a text with what the pattern finds in it, letters' accents and case aside, in `<mark>`."""
    html, end = [], 0
    for match in pattern.finditer(_folded(text)):
        html += [
            escape(text[end : match.start()]),
            "<mark>",
            escape(text[match.start() : match.end()]),
            "</mark>",
        ]
        end = match.end()
    return "".join([*html, escape(text[end:])])


def _pattern(terms: Iterable[str]) -> re.Pattern[str]:
    """What in a text, folded as `_folded` does, the terms mean."""
    words = [_word_pattern(term) for term in terms]
    return re.compile("|".join(sorted(words, key=len, reverse=True)) or "(?!)")


def _word_pattern(term: str) -> str:
    is_beginning = term.endswith("*")
    word = r"[\W_]+".join(map(re.escape, _folded(term.strip('"*')).split(" ")))
    if not word.isascii():  # scripts without spaces have no borders of words
        return word
    return rf"(?<![^\W_]){word}" + (r"[^\W_]*" if is_beginning else r"(?![^\W_])")


def _folded(text: str) -> str:
    """In small letters without accents; as long as before, so that places agree."""
    return text.translate({ord(char): _folded_char(char) for char in set(text)})


def _folded_char(char: str) -> str:
    decomposed = unicodedata.normalize("NFKD", char)
    base, marks = decomposed[0], decomposed[1:]
    if not all(map(unicodedata.combining, marks)):
        return char
    lower = base.lower()
    return lower if len(lower) == 1 else base


def _word_start(text: str, at: int) -> int:
    """The beginning of the next word, unless it is far."""
    space = text.find(" ", at, at + NUM_CHARS_BEFORE // 2) if at else -1
    return space + 1 if space >= 0 else at
