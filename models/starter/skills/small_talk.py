"""Greetings, thanks, goodbye, small talk, and who is speaking."""

from __future__ import annotations

from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.tables.reader import Entry, read_entries

_ENTRIES = read_entries("small_talk.txt")
_GREETING, _THANKS, _FAREWELL, *_ = _ENTRIES


def small_talk(draw: Draw) -> Exchange:
    """One friendly exchange."""
    return _said(draw, draw.choice(_ENTRIES))


def greeting(draw: Draw) -> Exchange:
    """The opening of a conversation."""
    return _said(draw, _GREETING)


def goodbye(draw: Draw) -> Exchange:
    """Thanks or farewell at the end of a conversation."""
    return _said(draw, draw.choice((_THANKS, _FAREWELL)))


def _said(draw: Draw, entry: Entry) -> Exchange:
    return plain(draw.ask(entry), draw.choice(entry.answers), (entry.right_answer,))
