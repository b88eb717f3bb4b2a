"""Copying made-up words exactly: repeat, look up by key, take from a list.

Not a skill that anybody asks for, but the one under passages and memory; it needs far more practice than they give.
"""

from __future__ import annotations

import re

from starter import words
from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.tables.reader import read_sections

_ASKS = read_sections("copying.txt")
_MAKERS = (
    words.made_up, words.made_up, words.full_name, words.place, words.code, words.date, words.amount, words.decimal,
)  # fmt: skip
_ORDINALS = ("first", "second", "third", "last")
_VERBS = (("has", "have"), ("likes", "like"), ("got", "get"), ("chose", "choose"), ("wants", "want"))
_PAST = ("got", "chose")
_PLAIN_WORDS = words.NOUNS + words.FIRST_NAMES


def copying(draw: Draw) -> Exchange:
    """One copying task."""
    return draw.choice(_TASKS)(draw)


def _where(draw: Draw) -> Exchange:
    """In which numbered line each of some words stands: what a passage's number needs.

    Half of the time each line is one plain word: with the number next to it the skill is found, and then stretched.
    """
    if draw.chance(0.5):
        lines = [[word] for word in draw.sample(_PLAIN_WORDS, draw.between(2, 9))]
    else:
        lines = [[_thing(draw) for _ in range(draw.between(1, 5))] for _ in range(draw.between(2, 6))]
    listing = "\n".join(
        draw.choice((" ", ", ", ". ")).join(line) + f" [{number}]" for number, line in enumerate(lines, 1)
    )
    places = [(thing, number) for number, line in enumerate(lines, 1) for thing in line]
    chosen = draw.sample(places, draw.between(1, min(6, len(places))))
    asked = ", ".join(thing for thing, _ in chosen)
    question = draw.ask(_ASKS["where"], listing=listing, things=asked)
    answer = ", ".join(f"{thing} [{number}]" for thing, number in chosen)
    return plain(question, answer, (re.escape(answer),))


def _repeat(draw: Draw) -> Exchange:
    parts = (
        _thing(draw) if draw.chance(0.7) else draw.choice(words.NOUNS) for _ in range(draw.between(1, 7))
    )
    text = " ".join(parts)
    return plain(draw.ask(_ASKS["repeat"], text=text), text, (re.escape(text),))


def _look_up(draw: Draw) -> Exchange:
    keys = [_key(draw) for _ in range(draw.between(2, 8))]
    values = [_thing(draw) for _ in keys]
    joint = draw.choice((": ", " = ", " is ", " - ", " -> "))
    gap = draw.choice(("\n", "\n", ", ", "; "))
    at = draw.between(0, len(keys) - 1)
    listing = gap.join(f"{key}{joint}{value}" for key, value in zip(keys, values, strict=True))
    question = draw.ask(_ASKS["look up"], listing=listing, key=keys[at])
    answer = draw.choice(("{v}", "{v}.", "{k}{j}{v}", "It is {v}.")).format(v=values[at], k=keys[at], j=joint)
    return plain(question, answer, (re.escape(values[at]),))


def _position(draw: Draw) -> Exchange:
    things = [_thing(draw) for _ in range(draw.between(3, 6))]
    at = draw.between(0, len(_ORDINALS) - 1)
    chosen = things[-1] if _ORDINALS[at] == "last" else things[at]
    question = draw.ask(_ASKS["position"], which=_ORDINALS[at], things=", ".join(things))
    return plain(question, chosen, (re.escape(chosen),))


def _who(draw: Draw) -> Exchange:
    people, things, (verb, _), story = _possessions(draw)
    at = draw.between(0, len(people) - 1)
    question = draw.ask(_ASKS["who"], story=story, verb=verb, thing=things[at])
    return plain(question, f"{people[at]} {verb} {things[at]}.", (re.escape(people[at]),))


def _what(draw: Draw) -> Exchange:
    people, things, (verb, asked), story = _possessions(draw)
    at = draw.between(0, len(people) - 1)
    did = "did" if verb in _PAST else "does"
    question = draw.ask(_ASKS["what"], story=story, did=did, person=people[at], asked=asked, verb=verb)
    return plain(question, f"{people[at]} {verb} {things[at]}.", (re.escape(things[at]),))


def _possessions(draw: Draw) -> tuple[list[str], list[str], tuple[str, str], str]:
    people = [words.first_name(draw) for _ in range(draw.between(2, 5))]
    things = [_thing(draw) for _ in people]
    verbs = draw.choice(_VERBS)
    story = " ".join(f"{person} {verbs[0]} {thing}." for person, thing in zip(people, things, strict=True))
    return people, things, verbs, story


def _after(draw: Draw) -> Exchange:
    things = [words.made_up(draw) for _ in range(draw.between(3, 8))]
    at = draw.between(0, len(things) - 2)
    question = draw.ask(_ASKS["after"], things=" ".join(things), one=things[at])
    return plain(question, things[at + 1], (re.escape(things[at + 1]),))


def _thing(draw: Draw) -> str:
    return draw.choice(_MAKERS)(draw)


def _key(draw: Draw) -> str:
    return draw.choice((words.made_up, words.code, words.first_name, words.the_thing))(draw)


_TASKS = (
    _repeat, _repeat, _look_up, _look_up, _look_up, _position, _who, _what, _after,
    _where, _where, _where, _where, _where,
)  # fmt: skip
