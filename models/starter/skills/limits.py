"""What the model cannot do: one or two honest sentences, and how to use a larger model."""

from __future__ import annotations

from starter import words
from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.tables.reader import read_sections

_REQUEST, *_WORDS = read_sections("limits.txt").values()


def limits(draw: Draw) -> Exchange:
    """A request beyond the model, and its honest answer."""
    slots = {section.name: draw.choice(section.answers) for section in _WORDS}
    made = {
        "made": words.made_up(draw),
        "made2": words.made_up(draw),
        "place": words.place(draw),
        "person": words.full_name(draw),
        "year": words.year(draw),
        "noun": draw.choice(words.NOUNS),
        "other": draw.choice(_WORDS[2].answers),
    }
    question = draw.ask(_REQUEST, **slots, **made)
    return plain(question, draw.choice(_REQUEST.answers), ("small model", "models folder"))
