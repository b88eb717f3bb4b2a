"""Splits a reply into text, reasoning and calls by markers such as `<think>` and `<tool_call>`.

A marker may come in pieces: what may still become one is held back. Nothing is lost: what opens like a call but is
none comes out as text. Knows no model families; it is given their markers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chat.engine.call_bodies import Call, ReadBody, read_bare
from chat.engine.json_scan import JsonScan

MAX_CALL_CHARS = 65_536
MAX_HELD_SPACE = 4096
SPACE = " \t\r\n"

_BARE_KEYS = ('"name"', '"type"', '"function"', '"parameters"', '"arguments"', '"id"')
_BARE_KEY_CHARS = 64  # within so many characters an object shows that it is no call

Kind = Literal["text", "reasoning"]
Mode = Literal["text", "reasoning", "call", "bare"]


@dataclass(frozen=True, slots=True)
class Words:
    """More text or reasoning."""

    kind: Kind
    text: str


Delta = Words | Call


@dataclass(frozen=True, slots=True)
class CallFormat:
    """A call between two markers; with an empty `close` it reaches to the end of the reply."""

    open: str
    close: str
    read: ReadBody


@dataclass(frozen=True, slots=True)
class MarkerStyle:
    """The markers of a model family. `ignored` ones are dropped; with `has_bare_calls` a reply may be a call alone."""

    calls: tuple[CallFormat, ...]
    think: tuple[str, str] = ("<think>", "</think>")
    ignored: tuple[str, ...] = ()
    has_bare_calls: bool = False


class MarkerParser:
    """The state of one reply. Fed in any pieces, it gives the same deltas but for where words are cut."""

    def __init__(self, style: MarkerStyle, *, is_thinking: bool) -> None:
        self._mode: Mode = "reasoning" if is_thinking else "text"
        self._style = style
        self._buffer = ""
        self._space = ""  # written once words follow: none is wanted before a call or at the end of thinking
        self._is_fresh = True  # no words since the start, or since the last call or thinking
        self._lead = SPACE  # what words do not begin with when fresh
        self._format = style.calls[0]
        self._num_searched = 0
        self._scan = JsonScan()
        self._deltas: list[Delta] = []

    @property
    def is_thinking(self) -> bool:
        """True between the markers of thinking."""
        return self._mode == "reasoning"

    def feed(self, text: str) -> list[Delta]:
        """What is certain now that `text` has come."""
        self._buffer += text
        return self._drain(is_end=False)

    def finish(self) -> list[Delta]:
        """What was held back, at the end of the reply."""
        deltas = self._drain(is_end=True)
        if self._space and not self._is_fresh:
            deltas.append(Words("reasoning" if self._mode == "reasoning" else "text", self._space))
        return deltas

    def skip(self, text: str) -> None:
        """Go past text that was delivered before, held-back ends included."""
        self.feed(text)
        if self._mode != "reasoning":
            self._is_fresh = self._is_fresh and self._mode == "text"
            self._mode = "text"
        self._buffer = self._space = ""

    def _drain(self, *, is_end: bool) -> list[Delta]:
        steps = {
            "text": self._read_text,
            "reasoning": self._read_reasoning,
            "call": self._read_call,
            "bare": self._read_bare,
        }
        while steps[self._mode](is_end=is_end):
            pass
        deltas, self._deltas = self._deltas, []
        return deltas

    # Each reads on in its mode, and is true when the mode has changed or a marker was passed.

    def _read_text(self, *, is_end: bool) -> bool:
        if self._is_fresh:
            lead = self._buffer.lstrip(self._lead)
            if lead.startswith(self._style.think[0]):
                return self._enter("reasoning", lead.removeprefix(self._style.think[0]))
            if lead.startswith("{") and self._style.has_bare_calls:
                self._scan = JsonScan()
                return self._enter("bare", lead)
            if lead and self._style.think[0].startswith(lead) and not is_end:
                return False
        markers = [call.open for call in self._style.calls] + list(self._style.ignored)
        found = first_marker(self._buffer, markers)
        if found is None:
            self._write_certain("text", markers, is_end=is_end)
            return False
        place, marker = found
        self._write("text", self._buffer[:place])
        rest = self._buffer[place + len(marker) :]
        if marker in self._style.ignored:
            self._buffer = rest
            return True
        self._format = next(call for call in self._style.calls if call.open == marker)
        self._num_searched = 0
        self._mode, self._buffer = "call", rest
        return True

    def _read_reasoning(self, *, is_end: bool) -> bool:
        close = self._style.think[1]
        place = self._buffer.find(close)
        if place < 0:
            self._write_certain("reasoning", [close], is_end=is_end)
            return False
        self._write("reasoning", self._buffer[:place])
        return self._enter("text", self._buffer[place + len(close) :])

    def _read_call(self, *, is_end: bool) -> bool:
        close = self._format.close
        place = self._buffer.find(close, self._num_searched) if close else -1
        self._num_searched = max(0, len(self._buffer) - len(close))
        end = len(self._buffer) if place < 0 else place
        is_too_long = end > MAX_CALL_CHARS + (len(close) if place < 0 else 0)
        if place < 0 and not (is_end or is_too_long):
            return False
        body = None if is_too_long else self._buffer[:end]
        behind = self._buffer[end + len(close) :]
        return self._take_call(body, self._format.read, self._format.open, self._buffer, behind)

    def _read_bare(self, *, is_end: bool) -> bool:
        end = self._scan.find_end(self._buffer)
        inside = self._buffer[1:_BARE_KEY_CHARS].lstrip()
        is_hopeless = not any(inside.startswith(key) or key.startswith(inside) for key in _BARE_KEYS)
        is_too_long = (end or len(self._buffer)) > MAX_CALL_CHARS
        if end is None and not (is_end or is_hopeless or is_too_long):
            return False
        body = None if is_hopeless or is_too_long else self._buffer[:end]
        return self._take_call(body, read_bare, "{", self._buffer[1:], self._buffer[end:])

    def _take_call(self, body: str | None, read: ReadBody, opening: str, inside: str, behind: str) -> bool:
        """Deliver the calls of a body. When it holds none, the opening was text and the inside is read as text."""
        calls = None if body is None else read(body)
        if calls is not None:
            self._deltas.extend(calls.calls)
            self._lead = SPACE + (";" if read is read_bare else "")
            return self._enter("text", calls.rest + behind)
        self._write("text", opening)
        self._mode, self._buffer = "text", inside
        return True

    def _enter(self, mode: Mode, rest: str) -> bool:
        self._mode, self._buffer = mode, rest
        self._is_fresh, self._space = True, ""
        return True

    def _write_certain(self, kind: Kind, markers: Iterable[str], *, is_end: bool) -> None:
        """Write the buffer but for an end that may become a marker."""
        num_held = 0 if is_end else max(overlap(self._buffer, marker) for marker in markers)
        certain = len(self._buffer) - num_held
        self._write(kind, self._buffer[:certain])
        self._buffer = self._buffer[certain:]

    def _write(self, kind: Kind, text: str) -> None:
        words = text.rstrip(SPACE).lstrip(self._lead if self._is_fresh else "")
        if words:
            self._deltas.append(Words(kind, self._space + words))
            self._space, self._is_fresh, self._lead = "", False, SPACE
        if not self._is_fresh:
            self._space += text[len(text.rstrip(SPACE)) :]
        while len(self._space) >= MAX_HELD_SPACE:
            self._deltas.append(Words(kind, self._space[:MAX_HELD_SPACE]))
            self._space = self._space[MAX_HELD_SPACE:]


def first_marker(text: str, markers: Iterable[str]) -> tuple[int, str] | None:
    """Place and name of the marker that comes first in `text`."""
    found = [(place, marker) for marker in markers if (place := text.find(marker)) >= 0]
    return min(found, default=None)


def overlap(text: str, marker: str) -> int:
    """The length of the longest end of `text` that the marker begins with."""
    longest = min(len(text), len(marker) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(marker[:length])), 0)
