"""Reads values as Python and Gemma write them: `{'a': [1, None, True]}`, `{a:<|"|>x<|"|>,b:null}`.

Python's own reader can run out of its stack and end the process; this one counts how deep it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from chat.engine.calls import is_storable

MAX_DEPTH = 64

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[A-Za-z_]\w*")
_NAME = re.compile(r"[^\s:,={}()\[\]\"']+")
_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][-+]?\d{1,3})?(?![\w.])")
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "\"'"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"', "/": "/"}
_WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}


class NoLiteral(ValueError):
    """The text is none."""


class LiteralReader:
    """Reads one text from its start. `mark` stands around strings beside the usual quotes.

    All methods raise NoLiteral for what they cannot read.
    """

    def __init__(self, text: str, mark: str = "") -> None:
        self._text = text
        self._place = 0
        self._mark = mark

    @property
    def rest(self) -> str:
        """What was not read yet."""
        return self._text[self._place :]

    def takes(self, sign: str) -> bool:
        """Go past `sign` and the space before it; False, and nothing changes, when it is not there."""
        place = self._after_space()
        if not self._text.startswith(sign, place):
            return False
        self._place = place + len(sign)
        return True

    def expect(self, sign: str) -> None:
        """Go past `sign`, which must be there."""
        if not self.takes(sign):
            raise NoLiteral(sign)

    def name(self) -> str:
        """A bare name."""
        return self._match(_NAME)[0]

    def value(self, depth: int = 0) -> Any:
        """A string, number, list, dict or one of the words for true, false and nothing."""
        if depth > MAX_DEPTH:
            raise NoLiteral("too deep")
        if self.takes("["):
            return list(self.until("]", lambda: self.value(depth + 1)))
        if self.takes("{"):
            return dict(self.until("}", lambda: (self._key(), self.value(depth + 1))))
        if (text := self._string()) is not None:
            return text
        if word := _WORD.match(self._text, self._after_space()):
            if word[0] not in _WORDS:
                raise NoLiteral(word[0])
            self._place = word.end()
            return _WORDS[word[0]]
        return self._number()

    def until(self, end: str, read: Callable[[], Any]) -> list[Any]:
        """What `read` reads, with commas between, up to `end`."""
        found: list[Any] = []
        while not self.takes(end):
            if found:
                self.expect(",")
                if self.takes(end):
                    break
            found.append(read())
        return found

    def _key(self) -> str:
        key = self._string()
        key = self.name() if key is None else key
        self.expect(":")
        return key

    def _string(self) -> str | None:
        if self._mark and self.takes(self._mark):
            start, self._place = self._place, self._text.find(self._mark, self._place) + len(self._mark)
            if self._place < start:
                raise NoLiteral(self._mark)
            return self._text[start : self._place - len(self._mark)]
        place = self._after_space()
        quote = self._text[place : place + 1]
        if quote not in _QUOTED:
            return None
        text = _ESCAPE.sub(_unescaped, self._match(_QUOTED[quote])[1])
        if not is_storable(text):
            raise NoLiteral(text)
        return text

    def _number(self) -> int | float:
        written = self._match(_NUMBER)[0]
        number = int(written) if written.lstrip("-").isdigit() else float(written)
        if not is_storable(number):
            raise NoLiteral(written)
        return number

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._after_space())
        if found is None:
            raise NoLiteral(self._text[self._place : self._place + 20])
        self._place = found.end()
        return found

    def _after_space(self) -> int:
        found = _SPACE.match(self._text, self._place)
        assert found, "no space is space, too"
        return found.end()


def literal_value(text: str) -> Any:
    """The value, None when the text is no literal."""
    reader = LiteralReader(text)
    try:
        value = reader.value()
    except NoLiteral:
        return None
    return None if reader.rest.strip() else value


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPED.get(match[3], match[0])
