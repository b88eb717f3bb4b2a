"""Help on Parley itself."""

from __future__ import annotations

from starter.conversation import Exchange
from starter.draw import Draw
from starter.skills.facts import ask_entry
from starter.tables.reader import read_entries

_ENTRIES = read_entries("parley_help.txt")


def parley_help(draw: Draw) -> Exchange:
    """One question on how Parley works."""
    return ask_entry(draw, draw.choice(_ENTRIES))
