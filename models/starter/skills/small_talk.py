"""Greetings, thanks, goodbye, small talk, and who is speaking."""

from __future__ import annotations

from starter.conversation import Exchange
from starter.draw import Draw
from starter.skills.facts import ask_entry
from starter.tables.reader import read_entries

_ENTRIES = read_entries("small_talk.txt")
_GREETING, _THANKS, _FAREWELL, *_ = _ENTRIES


def small_talk(draw: Draw) -> Exchange:
    """One friendly exchange."""
    return ask_entry(draw, draw.choice(_ENTRIES))


def greeting(draw: Draw) -> Exchange:
    """The opening of a conversation."""
    return ask_entry(draw, _GREETING)


def goodbye(draw: Draw) -> Exchange:
    """Thanks or farewell at the end of a conversation."""
    return ask_entry(draw, draw.choice((_THANKS, _FAREWELL)))
