"""Splits a reply into text, reasoning and calls by markers such as `<think>` and `<tool_call>`.

A marker may come in pieces: what may still become one is held back. Nothing is lost: what opens like a call but is
none comes out as text. Knows no model families; it is given their markers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chat.engine.call_format import CallFormat
from chat.engine.calls import Call
from chat.engine.json_scan import JsonScan
from chat.engine.markers import first_marker, overlap

MAX_CALL_CHARS = 65_536
MAX_HELD_SPACE = 4096
SPACE = " \t\r\n"

_MAX_CLOSES = 64  # so many ends of a call are looked at: each may stand inside a string
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
class OpenCall:
    """A call that is being written: the how-manieth of the reply, and what has come of it behind its opening."""

    number: int
    form: CallFormat
    inside: str


@dataclass(frozen=True, slots=True)
class MarkerStyle:
    """The markers of a model family. `ignored` ones are dropped; with `bare` a reply may be a call without a marker.

    `answer` opens the answer, and `lead` is the marker that a prompt ends with, where a family has such.
    """

    calls: tuple[CallFormat, ...]
    think: tuple[str, str] = ("<think>", "</think>")
    answer: str = ""
    ignored: tuple[str, ...] = ()
    bare: CallFormat | None = None
    lead: str = ""


class MarkerParser:
    """The state of one reply. Fed in any pieces, it gives the same deltas but for where words are cut."""

    def __init__(self, style: MarkerStyle, *, is_thinking: bool) -> None:
        self._mode: Mode = "reasoning" if is_thinking else "text"
        self._style = style
        self._markers = [call.open for call in style.calls] + list(style.ignored)
        self._buffer = "" if is_thinking else style.lead
        self._num_shown = len(
            style.lead
        )  # characters of an open call that are there already, its opening included
        self._space = ""  # written once words follow: none is wanted before a call or at the end of thinking
        self._is_fresh = True  # no words since the start, or since the last call or thinking
        self._lead = SPACE  # what words do not begin with when fresh
        self._format = style.calls[0]
        self._num_calls = 0
        self._num_searched = 0
        self._num_closes = 0
        self._scan = JsonScan()
        self._deltas: list[Delta] = []

    @property
    def is_thinking(self) -> bool:
        """True between the markers of thinking."""
        return self._mode == "reasoning"

    @property
    def open_call(self) -> OpenCall | None:
        """The call that is being written."""
        is_open = self._mode in ("call", "bare")
        return OpenCall(self._num_calls, self._format, self._buffer) if is_open else None

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
        """Go past text that was delivered before, held-back ends included. A call that it opens is read on."""
        self.feed(text)
        if self._mode in ("call", "bare"):
            self._num_shown = len(self._opening) + len(self._buffer)
            self._space = ""
            return
        if self._mode != "reasoning":
            self._is_fresh = self._is_fresh and self._mode == "text"
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
            if lead.startswith("{") and self._style.bare:
                return self._open(self._style.bare, "bare", lead)
            if lead and self._style.think[0].startswith(lead) and not is_end:
                return False
        found = first_marker(self._buffer, self._markers)
        if found is None:
            self._write_certain("text", self._markers, is_end=is_end)
            return False
        place, marker = found
        self._write("text", self._buffer[:place])
        self._buffer = self._buffer[place:]
        if not is_end and self._may_become_longer(marker):
            return False
        rest = self._buffer[len(marker) :]
        if marker in self._style.ignored:
            self._buffer, self._num_shown = rest, 0
            return True
        return self._open(next(call for call in self._style.calls if call.open == marker), "call", rest)

    def _may_become_longer(self, marker: str) -> bool:
        """True while the buffer, which begins with `marker`, may still be the beginning of another."""
        return any(other != marker and other.startswith(self._buffer) for other in self._markers)

    @property
    def _opening(self) -> str:
        """The marker of the open call; a bare one has none, and its buffer begins with it."""
        return self._format.open

    def _open(self, form: CallFormat, mode: Mode, rest: str) -> bool:
        self._format, self._mode, self._buffer = form, mode, rest
        self._num_calls += 1
        self._num_searched = self._num_closes = 0
        self._scan = JsonScan()
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
        close = self._format.close or self._format.open
        place = self._find_end(close)
        end = len(self._buffer) if place < 0 else place
        is_too_long = end > MAX_CALL_CHARS + (len(close) if place < 0 else 0)
        if place < 0 and not (is_end or is_too_long):
            return False
        body = None if is_too_long else self._buffer[:end]
        behind = self._buffer[end + len(self._format.close) :]
        return self._take_call(body, behind)

    def _find_end(self, close: str) -> int:
        """The place of the first `close` that does not stand inside a string of the call; -1 for none so far."""
        while (place := self._buffer.find(close, self._num_searched)) >= 0:
            self._num_closes += 1
            if self._num_closes > _MAX_CLOSES or not self._format.syntax.is_inside(self._buffer[:place]):
                self._num_searched = place
                return place
            self._num_searched = place + 1
        self._num_searched = max(self._num_searched, len(self._buffer) - len(close) + 1)
        return -1

    def _read_bare(self, *, is_end: bool) -> bool:
        end = self._scan.find_end(self._buffer)
        inside = self._buffer[1:_BARE_KEY_CHARS].lstrip()
        is_hopeless = not any(inside.startswith(key) or key.startswith(inside) for key in _BARE_KEYS)
        is_too_long = (end or len(self._buffer)) > MAX_CALL_CHARS
        if end is None and not (is_end or is_hopeless or is_too_long):
            return False
        body = None if is_hopeless or is_too_long else self._buffer[:end]
        return self._take_call(body, self._buffer[end:])

    def _take_call(self, body: str | None, behind: str) -> bool:
        """Deliver the calls of a body. When it holds none, the opening was text and the inside is read as text."""
        calls = None if body is None else self._format.read(body)
        num_shown, self._num_shown = self._num_shown, 0
        if calls is not None:
            self._deltas.extend(calls.calls)
            self._lead = SPACE + (";" if self._mode == "bare" else "")
            return self._enter("text", calls.rest + behind)
        opening = self._opening or self._buffer[:1]
        self._mode, self._buffer = "text", (self._opening + self._buffer)[max(num_shown, len(opening)) :]
        self._is_fresh = self._is_fresh and num_shown <= len(self._style.lead)
        self._write("text", opening[num_shown:])
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
