"""Splits a reply into text, reasoning and calls by the channels of gpt-oss (its "harmony" format).

A reply is messages, each with a header: `<|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final
<|message|>...`. A header that names a recipient (`to=functions.NAME`) makes a call of its message.
Source: OpenAI, "OpenAI harmony response format".
"""

from __future__ import annotations

import re

from chat.engine.call_bodies import read_arguments
from chat.engine.marker_parser import MAX_CALL_CHARS, SPACE, Delta, Kind, Words, first_marker, overlap

MAX_HEADER_CHARS = 512

_MESSAGE = "<|message|>"
_HEADER_STARTS = ("<|start|>", "<|channel|>", _MESSAGE, "to=")
_MESSAGE_ENDS = ("<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w*)")
_RECIPIENT = re.compile(r"\bto=(?:functions\.)?([^\s<]+)")


class ChannelParser:
    """The state of one reply. Fed in any pieces, it gives the same deltas but for where words are cut."""

    def __init__(self) -> None:
        self._buffer = ""
        self._is_in_header = True
        self._kind: Kind = "text"
        self._recipient = ""
        self._is_message_empty = True
        self._written: set[Kind] = set()
        self._deltas: list[Delta] = []

    @property
    def is_thinking(self) -> bool:
        """True inside a message of the analysis channel."""
        return self._kind == "reasoning" and not self._is_in_header

    def feed(self, text: str) -> list[Delta]:
        """What is certain now that `text` has come."""
        self._buffer += text
        return self._drain(is_end=False)

    def finish(self) -> list[Delta]:
        """What was held back, at the end of the reply."""
        return self._drain(is_end=True)

    def skip(self, text: str) -> None:
        """Go past text that was delivered before, held-back ends included."""
        self.feed(text)
        self._buffer = self._recipient = ""

    def _drain(self, *, is_end: bool) -> list[Delta]:
        while self._read_header(is_end=is_end) if self._is_in_header else self._read_message(is_end=is_end):
            pass
        deltas, self._deltas = self._deltas, []
        return deltas

    def _read_header(self, *, is_end: bool) -> bool:
        """True when a message has begun."""
        self._buffer = lead = self._buffer.lstrip(SPACE)
        place = lead.find(_MESSAGE)
        is_header = any(lead.startswith(start) or start.startswith(lead) for start in _HEADER_STARTS)
        if not is_header:
            return self._begin_message("", lead)
        if max(place, len(lead) - len(_MESSAGE)) > MAX_HEADER_CHARS:
            self._begin_message("", lead[1:])
            self._write(lead[0])  # without its first character it begins no header any more
            return True
        if place >= 0:
            return self._begin_message(lead[:place], lead[place + len(_MESSAGE) :])
        if is_end and lead and not lead.startswith("<|"):
            return self._begin_message("", lead)
        return False

    def _begin_message(self, header: str, rest: str) -> bool:
        channel = _CHANNEL.search(header)
        recipient = _RECIPIENT.search(header)
        self._kind = "reasoning" if channel and channel[1] == "analysis" else "text"
        self._recipient = recipient[1] if recipient else ""
        self._is_in_header, self._is_message_empty = False, True
        self._buffer = rest
        return True

    def _read_message(self, *, is_end: bool) -> bool:
        """True when the message has ended, or was no call after all."""
        found = first_marker(self._buffer, _MESSAGE_ENDS)
        end = found[0] if found else len(self._buffer)
        if self._recipient:
            return self._read_call(end, is_complete=is_end or found is not None)
        if found is None:
            end -= 0 if is_end else max(overlap(self._buffer, marker) for marker in _MESSAGE_ENDS)
        self._write(self._buffer[:end])
        self._buffer = self._buffer[end:]
        if found is None:
            return False
        return self._end_message(found[1])

    def _read_call(self, end: int, *, is_complete: bool) -> bool:
        if not is_complete and end <= MAX_CALL_CHARS:
            return False
        calls = read_arguments(self._recipient, self._buffer[:end]) if end <= MAX_CALL_CHARS else None
        self._recipient = ""
        if calls is None:
            self._kind = "text"
            return True
        self._deltas.extend(calls.calls)
        self._buffer = self._buffer[end:]
        return True

    def _end_message(self, marker: str) -> bool:
        self._is_in_header = True
        if marker not in _HEADER_STARTS:
            self._buffer = self._buffer.removeprefix(marker)
        return True

    def _write(self, text: str) -> None:
        words = text.lstrip(SPACE) if self._is_message_empty else text
        if not words:
            return
        if self._is_message_empty and self._kind in self._written:
            words = "\n\n" + words
        self._is_message_empty = False
        self._written.add(self._kind)
        self._deltas.append(Words(self._kind, words))
