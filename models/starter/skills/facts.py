"""Everyday facts: capitals, opposites, units, planets, animals and simple definitions."""

from __future__ import annotations

import re

from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.skills.manners import framed
from starter.tables.reader import Entry, read_entries, read_rows, read_sections

_GEOGRAPHY = read_sections("geography.txt")
_COUNTRIES = read_rows("capitals.txt")
_RELATIONS = tuple(read_sections("relations.txt").values())
_ENTRIES = read_entries("facts.txt")


def facts(draw: Draw) -> Exchange:
    """One fact."""
    return draw.choice((_geography, _geography, _related, _related, _entry, _entry))(draw)


def ask_entry(draw: Draw, entry: Entry) -> Exchange:
    """A question of an entry, and one of its answers."""
    return plain(framed(draw, draw.ask(entry)), draw.choice(entry.answers), (entry.right_answer,))


def _geography(draw: Draw) -> Exchange:
    country, capital, continent = draw.choice(_COUNTRIES)
    asked, wanted = draw.choice(
        (
            ("capital", capital),
            ("capital", capital),
            ("capital", capital),
            ("country", country),
            ("continent", continent),
        )
    )
    section = _GEOGRAPHY[asked]
    question = framed(draw, draw.ask(section, a=country, b=capital))
    answer = section.answers[0].format(a=country, b=capital, c=continent)
    return plain(question, _sentence(answer), (re.escape(wanted),))


def _related(draw: Draw) -> Exchange:
    relation = draw.choice(_RELATIONS)
    a, b = draw.choice(relation.rows)
    unit = b.partition(" ")[2]
    question = framed(draw, draw.ask(relation, a=a, b=b, u=unit))
    wanted = a if "{a}" not in "".join(relation.asks) else b
    return plain(
        question, _sentence(relation.name.format(a=a, b=b)), (rf"(?<!\w){re.escape(wanted.strip(chr(34)))}",)
    )


def _entry(draw: Draw) -> Exchange:
    return ask_entry(draw, draw.choice(_ENTRIES))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
