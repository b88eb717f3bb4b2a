"""Finds where a JSON object ends while its text still comes in."""

from __future__ import annotations

import re

_NOTABLE = re.compile(r'["\\{}\[\]]')


class JsonScan:
    """Scans one growing text, each character once; the text begins with the object."""

    def __init__(self) -> None:
        self._position = 0
        self._depth = 0
        self._is_in_string = False

    def find_end(self, text: str) -> int | None:
        """The place behind the object; None while it is open."""
        while match := _NOTABLE.search(text, self._position):
            mark, place = match[0], match.start()
            if mark == "\\" and self._is_in_string and place + 1 >= len(text):
                return None  # the character behind the backslash has yet to come
            self._position = place + (2 if mark == "\\" and self._is_in_string else 1)
            if self._closes(mark):
                return self._position
        self._position = len(text)
        return None

    def is_in_string(self, text: str) -> bool:
        """True when the text ends inside a string; it may hold several objects."""
        while self.find_end(text) is not None:
            pass
        return self._is_in_string

    def _closes(self, mark: str) -> bool:
        if mark == '"':
            self._is_in_string = not self._is_in_string
        elif not self._is_in_string and mark != "\\":
            self._depth += 1 if mark in "{[" else -1
            return self._depth <= 0
        return False
