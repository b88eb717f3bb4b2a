"""Arithmetic by the calculator: the call, its result, the answer. Never in its head."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starter import words
from starter.calculator import calculate
from starter.conversation import Exchange, assistant, calling, plain, tool_result, user
from starter.draw import Draw
from starter.tables.reader import read_sections

_PHRASES = read_sections("arithmetic.txt")
_SPOKEN = tuple(read_sections("sums.txt").values())
_COMMON = tuple(
    form
    for form in _SPOKEN
    if form.name in ("{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / {b}", "{a} * {r} / 100")
)
_STORIES = tuple(read_sections("stories.txt").values())
_STORIES_WITH_HELD_OUT = tuple(story for story in _STORIES if story.held_out_asks)
_SIGNS = (("+", "+"), ("-", "-"), ("*", "*"), ("x", "*"), ("×", "*"), ("/", "/"), ("÷", "/"), (":", "/"))
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
MAX_RESULT_CHARS = 15


@dataclass(frozen=True, slots=True)
class Sum:
    """Something to work out: as people put it, and as the calculator takes it."""

    question: str
    expression: str


def arithmetic(draw: Draw) -> Exchange:
    """Question, call, result, answer."""
    asked, result = _solvable(draw)
    answer = draw.choice(_PHRASES["sum"].answers).format(r=result)
    call = calling("calculator", expression=asked.expression)
    turns = (user(asked.question), call, tool_result(result), assistant(answer))
    return Exchange(turns, (rf"(?<![\d.]){re.escape(result)}(?!\d|\.\d)",))


def without_calculator(draw: Draw) -> Exchange:
    """The same question where no calculator is on offer: an honest no."""
    return plain(_asked(draw).question, draw.choice(_PHRASES["no calculator"].answers), ("calculator",))


def spell(value: int) -> str:
    """A number from 0 to 999 in English words."""
    if value < 20:
        return _UNITS[value]
    if value < 100:
        return _TENS[value // 10] + (f"-{_UNITS[value % 10]}" if value % 10 else "")
    rest = f" {spell(value % 100)}" if value % 100 else ""
    return f"{_UNITS[value // 100]} hundred{rest}"


def _solvable(draw: Draw) -> tuple[Sum, str]:
    while True:
        asked = _asked(draw)
        try:
            result = calculate(asked.expression)
        except (ValueError, ZeroDivisionError, OverflowError):
            continue
        if len(result) <= MAX_RESULT_CHARS:
            return asked, result


def _asked(draw: Draw) -> Sum:
    roll = draw.rng.random()
    if roll < 0.25:
        return _story(draw)
    made = _symbols(draw) if roll < 0.5 else _spoken(draw)
    return Sum(draw.ask(_PHRASES["sum"], q=made.question), made.expression)


def _symbols(draw: Draw) -> Sum:
    gap = draw.choice(("", " ", " "))
    question = expression = _number(draw)
    for _ in range(draw.choice((1, 1, 1, 1, 2, 2, 3))):
        (shown, sign), number = draw.choice(_SIGNS), _number(draw)
        question += f"{gap}{shown}{gap}{number}"
        expression += f" {sign} {number}"
    return Sum(question, expression)


def _spoken(draw: Draw) -> Sum:
    form = draw.choice(_COMMON if draw.chance(0.4) else _SPOKEN)
    slots = {
        "a": _number(draw),
        "b": _number(draw),
        "c": _number(draw),
        "s": words.number(draw, 2, draw.choice((9, 30, 99))),
        "r": words.number(draw, 1, 99),
        "e": str(draw.between(2, 6)),
    }
    shown = slots
    if draw.chance(0.25):
        slots |= {name: words.number(draw, 2, draw.choice((9, 99, 999))) for name in "abc"}
        shown = {name: spell(int(value)) for name, value in slots.items()}
    return Sum(draw.choice(form.asks).format(**shown), form.name.format(**slots))


def _story(draw: Draw) -> Sum:
    story = draw.choice(_STORIES_WITH_HELD_OUT if draw.held_out else _STORIES)
    slots = {
        "a": words.number(draw, 10, draw.choice((99, 999))),
        "b": words.number(draw, 2, 99),
        "name": words.first_name(draw),
        "other": words.first_name(draw),
        "things": words.things(draw),
    }
    return Sum(draw.ask(story, **slots), story.name.format(**slots))


def _number(draw: Draw) -> str:
    if draw.chance(0.12):
        return words.decimal(draw)
    return words.number(draw, 2, 10 ** draw.choice((1, 2, 2, 2, 3, 3, 4, 5)))
