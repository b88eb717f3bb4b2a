"""Splits a reply into text, reasoning and calls by channels, as gpt-oss writes them (its "harmony" format).

A reply is messages, each with a header: `<|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final
<|message|>...`. A header that names a recipient (`to=functions.NAME`) makes a call of its message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chat.engine.call_format import CallFormat
from chat.engine.marker_parser import (
    MAX_CALL_CHARS,
    SPACE,
    Delta,
    Kind,
    OpenCall,
    Words,
)
from chat.engine.markers import first_marker, overlap

MAX_HEADER_CHARS = 512
MESSAGE = "<|message|>"

_HEADER_STARTS = ("<|start|>", "<|channel|>", MESSAGE, "to=")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w*)")
_RECIPIENT = re.compile(r"\bto=(\S+?)(?=[\s<]|$)")
# What some families call a channel, others call a recipient.
_KINDS: dict[str, Kind] = {"analysis": "reasoning", "self": "reasoning", "user": "text"}


@dataclass(frozen=True, slots=True)
class ChannelStyle:
    """`call.open` stands somewhere in a message with a recipient, maybe in its header; `ends` end a message.

    `thinking` and `answer` are headers, `next` stands between two messages.
    """

    call: CallFormat
    ends: tuple[str, ...]
    thinking: str
    answer: str
    next: str


class ChannelParser:
    """The state of one reply. Fed in any pieces, it gives the same deltas but for where words are cut."""

    def __init__(self, style: ChannelStyle) -> None:
        self._style = style
        self._buffer = ""
        self._header: str | None = None  # None until the message begins
        self._kind: Kind = "text"
        self._is_call = False
        self._num_messages = 0
        self._is_message_empty = True
        self._written: set[Kind] = set()
        self._deltas: list[Delta] = []

    @property
    def is_thinking(self) -> bool:
        """True inside a message of the analysis channel."""
        return self._kind == "reasoning" and self._header is not None

    @property
    def open_call(self) -> OpenCall | None:
        """The call that is being written."""
        if self._header is not None and not self._is_call:
            return None
        _, found, inside = self._whole().partition(self._style.call.open)
        return OpenCall(self._num_messages, self._style.call, inside) if found else None

    def feed(self, text: str) -> list[Delta]:
        """What is certain now that `text` has come."""
        self._buffer += text
        return self._drain(is_end=False)

    def finish(self) -> list[Delta]:
        """What was held back, at the end of the reply."""
        return self._drain(is_end=True)

    def skip(self, text: str) -> None:
        """Go past the beginning of a reply that was delivered before; a call in it is read on as text."""
        self.feed(text)
        self._buffer, self._is_call = "", False

    def _whole(self) -> str:
        """The message so far with its header."""
        return self._buffer if self._header is None else self._header + MESSAGE + self._buffer

    def _drain(self, *, is_end: bool) -> list[Delta]:
        while self._read_header(is_end=is_end) if self._header is None else self._read_message(is_end=is_end):
            pass
        deltas, self._deltas = self._deltas, []
        return deltas

    def _read_header(self, *, is_end: bool) -> bool:
        """True when a message has begun."""
        self._buffer = lead = self._buffer.lstrip(SPACE)
        place = lead.find(MESSAGE)
        is_header = any(lead.startswith(start) or start.startswith(lead) for start in _HEADER_STARTS)
        if not is_header:
            return self._begin_message("", lead)
        if (place if place >= 0 else len(lead) - len(MESSAGE)) > MAX_HEADER_CHARS:
            self._begin_message("", lead[1:])
            self._write(lead[0])  # without its first character it begins no header any more
            return True
        if place >= 0:
            return self._begin_message(lead[:place], lead[place + len(MESSAGE) :])
        if is_end and lead and not lead.startswith("<|"):
            return self._begin_message("", lead)
        return False

    def _begin_message(self, header: str, rest: str) -> bool:
        channel = _CHANNEL.search(header)
        recipient = _RECIPIENT.search(header)
        self._kind = _KINDS.get(channel[1] if channel else recipient[1] if recipient else "", "text")
        self._is_call = recipient is not None and recipient[1] not in _KINDS
        self._header, self._buffer, self._is_message_empty = header, rest, True
        self._num_messages += 1
        return True

    def _read_message(self, *, is_end: bool) -> bool:
        """True when the message has ended, or was no call after all."""
        found = first_marker(self._buffer, self._style.ends)
        end = found[0] if found else len(self._buffer)
        if self._is_call:
            return self._read_call(end, is_complete=is_end or found is not None)
        if found is None:
            end -= 0 if is_end else max(overlap(self._buffer, marker) for marker in self._style.ends)
        self._write(self._buffer[:end])
        self._buffer = self._buffer[end:]
        if found is None:
            return False
        return self._end_message(found[1])

    def _read_call(self, end: int, *, is_complete: bool) -> bool:
        if not is_complete and end <= MAX_CALL_CHARS:
            return False
        call = self._style.call
        behind = len(self._buffer) - end
        whole = self._whole()
        body = whole[: len(whole) - behind].partition(call.open)[2].rstrip(SPACE).removesuffix(call.close)
        calls = call.read(body) if end <= MAX_CALL_CHARS else None
        self._is_call = False
        if calls is None:
            self._kind = "text"
            return True
        self._deltas.extend(calls.calls)
        self._buffer = self._buffer[end:]
        return True

    def _end_message(self, marker: str) -> bool:
        self._header = None
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
