"""What the person told earlier in the conversation: told in one exchange, asked in a later one."""

from __future__ import annotations

import re

from starter import words
from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.tables.reader import Section, read_sections
from starter.words import Make

_MAKERS: dict[str, Make] = {
    "name": words.first_name,
    "colour": words.colour,
    "number": words.lucky_number,
    "home": words.place,
    "pet": words.made_up,
    "age": words.age,
    "food": words.food,
    "code": words.code,
    "person": words.full_name,
    "date": words.date,
}
TOPICS = tuple(read_sections("memory.txt").values())


def memory(draw: Draw, topic: Section) -> tuple[Exchange, Exchange]:
    """Telling and asking, with whatever the mix puts between them."""
    value, owner = _MAKERS[topic.name](draw), draw.choice(topic.owners or [""])
    told = draw.tell(topic.statements, v=value, o=owner)
    note = draw.expand(draw.choice(topic.notes), v=value, o=owner).strip()
    answer = topic.answers[0].format(v=value, o=owner)
    asked = plain(draw.ask(topic, o=owner), _sentence(answer), (rf"(?<!\w){re.escape(value)}(?!\w)",))
    return plain(told, _sentence(note)), asked


def not_told(draw: Draw) -> Exchange:
    """Asking for what was never told."""
    topic = draw.choice(TOPICS)
    question = draw.ask(topic, o=draw.choice(topic.owners or [""]))
    return plain(question, draw.expand("You have not told me {m}[ yet|].", m=topic.missing[0]), ("not told",))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
