"""Tales that go on from "Once upon a time", short and long, composed from a grammar of scenes."""

from __future__ import annotations

from dataclasses import dataclass

from starter import words
from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.tables.reader import read_sections

_GRAMMAR = read_sections("tales.txt")
_WISHES = (words.first_name, words.a_thing)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who and what one tale is about."""

    name: str
    thing: str
    friend: str
    trouble: str


def tale(draw: Draw) -> Exchange:
    """A tale of 150 to 250 tokens."""
    return _told(draw, "tale", draw.between(3, 5), 400)


def long_tale(draw: Draw) -> Exchange:
    """A tale of 300 to 500 tokens."""
    return _told(draw, "long tale", draw.between(8, 11), 700)


def _told(draw: Draw, kind: str, num_scenes: int, min_chars: int) -> Exchange:
    wish = draw.choice(("a king", "the sea", "a dragon", draw.choice(_WISHES)(draw)))
    question = draw.ask(_GRAMMAR[kind], w=wish)
    answer = "\n\n".join(_paragraphs(draw, num_scenes))
    return plain(question, answer, (rf"(?s)once upon a time.{{{min_chars},}}",))


def _paragraphs(draw: Draw, num_scenes: int) -> list[str]:
    cast = Cast(words.first_name(draw), _one(draw, "thing"), _one(draw, "friend"), _one(draw, "trouble"))
    opening = (
        f"Once upon a time there lived a {_one(draw, 'hero')} named {cast.name} {_one(draw, 'home')}. "
        f"{_one(draw, 'calm')} until one day {cast.trouble}. So {cast.name} set out {_one(draw, 'goal')}."
    )
    scenes = [_scene(draw, pattern, cast) for pattern in draw.sample(_GRAMMAR["scene"].answers, num_scenes)]
    paragraphs = [opening]
    while scenes:
        taken = draw.between(1, 3)
        paragraphs.append(" ".join(scenes[:taken]))
        scenes = scenes[taken:]
    return [*paragraphs, _scene(draw, _one(draw, "ending"), cast)]


def _one(draw: Draw, part: str) -> str:
    return draw.choice(_GRAMMAR[part].answers)


def _scene(draw: Draw, pattern: str, cast: Cast) -> str:
    text = draw.expand(pattern, n=cast.name, t=cast.thing, f=cast.friend, p=cast.trouble)
    return text[:1].upper() + text[1:]
