"""Turns tokens into text as they come: never half a character, never a piece of a stop string.

Knows nothing of models: it is given a function from a token to its bytes.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence

_new_decoder = codecs.getincrementaldecoder("utf-8")


class Detokenizer:
    """The text of one reply. `is_stopped` turns true when a stop string is complete; nothing follows then."""

    def __init__(self, token_bytes: Callable[[int], bytes], stop: Sequence[str] = ()) -> None:
        self.is_stopped = False
        self._token_bytes = token_bytes
        self._stop = tuple(stop)
        self._decoder = _new_decoder(errors="replace")
        self._held = ""

    def push(self, token: int) -> str:
        """Text that is now certain, maybe none. Bytes that can never become a character turn into U+FFFD."""
        return "" if self.is_stopped else self._release(self._decoder.decode(self._token_bytes(token)))

    @property
    def pending(self) -> bytes:
        """What is held back now."""
        return self._held.encode("utf-8", "replace") + self._decoder.getstate()[0]

    def flush(self) -> str:
        """What was held back, at the end of the reply: half a character becomes U+FFFD."""
        if self.is_stopped:
            return ""
        text = self._release(self._decoder.decode(b"", final=True))
        rest, self._held = self._held, ""
        return text + rest

    def _release(self, new_text: str) -> str:
        text = self._held + new_text
        if (stop_start := self._find_stop(text)) is not None:
            self.is_stopped = True
            self._held = ""
            return text[:stop_start]
        certain = len(text) - self._num_uncertain(text)
        self._held = text[certain:]
        return text[:certain]

    def _find_stop(self, text: str) -> int | None:
        """Start of the stop string that is complete first; of two that end together, the longer."""
        starts = ((text.find(stop), len(stop)) for stop in self._stop)
        matches = [(start + length, start) for start, length in starts if start >= 0]
        return min(matches)[1] if matches else None

    def _num_uncertain(self, text: str) -> int:
        """Length of the longest end of `text` that a stop string begins with."""
        return max((_overlap(text, stop) for stop in self._stop), default=0)


def _overlap(text: str, stop: str) -> int:
    longest = min(len(text), len(stop) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)
