"""Markdown when asked: lists, tables, code, jokes and counting."""

from __future__ import annotations

import re

from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.skills.arithmetic import spell
from starter.tables.reader import read_rows, read_sections

_ASKS = read_sections("markdown.txt")
_CATEGORIES = {name: members.split(", ") for name, members in read_rows("lists.txt")}
_TABLES = tuple(read_sections("small_tables.txt").values())
_PROGRAMS = tuple(read_sections("code.txt").values())
_JOKES = read_rows("jokes.txt")
_ITEM = r"(\d+\.|-) .+"


def markdown(draw: Draw) -> Exchange:
    """Something that shows the page's Markdown."""
    return draw.choice((_list, _list, _list, _table, _code, _code, _joke, _counting, _counting))(draw)


def _list(draw: Draw) -> Exchange:
    things = draw.choice(tuple(_CATEGORIES))
    members = _CATEGORIES[things]
    if draw.chance(0.15) and not draw.held_out:
        return plain(draw.ask(_ASKS["some"], things=things), _bullets(members[:5]))
    count = draw.between(2, min(8, len(members)))
    question = draw.ask(_ASKS["list"], n=draw.choice((str(count), spell(count))), things=things)
    answer = _numbered(members[:count]) if "numbered" in question else _bullets(members[:count])
    return plain(question, answer, (rf"\A{_ITEM}(\n{_ITEM}){{{count - 1}}}\Z",))


def _bullets(items: list[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _numbered(items: list[str]) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))


def _table(draw: Draw) -> Exchange:
    topic = draw.choice(_TABLES)
    head, *rows = (f"| {' | '.join(row)} |" for row in topic.rows)
    question = draw.ask(_ASKS["table"], things=topic.name)
    return plain(question, "\n".join((head, "|---|---|", *rows)), (r"\A\|.+\|\n\|[-|: ]+\|(\n\|.+\|)+\Z",))


def _code(draw: Draw) -> Exchange:
    program = draw.choice(_PROGRAMS)
    tasks = program.held_out_asks if draw.held_out else [program.name, *program.asks]
    question = draw.ask(_ASKS["code"], task=draw.expand(draw.choice(tasks)))
    wanted = rf"(?s)```python\n{re.escape(program.code[0])}.*```"
    return plain(question, "\n".join(("```python", *program.code, "```")), (wanted,))


def _joke(draw: Draw) -> Exchange:
    return plain(draw.ask(_ASKS["joke"]), " ".join(draw.choice(_JOKES)), (r"\w.*\? \w",))


def _counting(draw: Draw) -> Exchange:
    first = draw.choice((1, 1, 1, draw.between(2, 60)))
    last = first + draw.between(3, draw.choice((9, 19, 29, 49, 99)))
    question = draw.ask(_ASKS["count" if first > 1 else "count from one"], a=first, b=last)
    gap = draw.choice((", ", ", ", "\n"))
    if gap == "\n":
        question += draw.choice((" One number per line.", " Each on its own line."))
    answer = gap.join(map(str, range(first, last + 1)))
    return plain(question, answer, (rf"\A{re.escape(answer)}\.?\Z",))
