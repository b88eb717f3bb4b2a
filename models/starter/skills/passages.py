"""Questions on numbered passages: one sentence with the fact copied, ending in the passage's number.

The form, which the product uses too (at the end of the system turn or the start of the user's turn):

    Passages:
    text [1]
    text [2]

    the question

The number stands at the end, as in the answer: there it can be read together with what the passage said, where a
number in front would have to be carried along by every word after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starter.conversation import Exchange, plain
from starter.draw import Draw
from starter.tables.passage_kinds import GENERIC_NOUNS, GENERIC_OWNERS, KINDS, Kind
from starter.tables.reader import Section, read_sections
from starter.words import NOUNS, Make

_ATTRIBUTES = read_sections("passages.txt")
_UNANSWERED_SHARE = 0.17


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property that can be told of an entity; `noun` names it where the section is the generic one."""

    section: Section
    make: Make
    noun: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What one passage is about: its entity, and another of its kind that no passage tells of."""

    entity: str
    stranger: str
    pronoun: str
    attributes: tuple[Attribute, ...]
    filler: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One attribute of a passage's subject, with its value."""

    subject: Subject
    attribute: Attribute
    value: str
    passage: int


@dataclass(frozen=True, slots=True)
class Passages:
    """A block of passages and the facts that they tell."""

    block: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question on passages, its answer, and the patterns of a right one."""

    text: str
    answer: str
    wanted: tuple[str, ...]


def passages(draw: Draw) -> Exchange:
    """A question with its passages in the user's turn."""
    return ask_with(draw, some_passages(draw))


def some_passages(draw: Draw) -> Passages:
    """One to five passages, mostly three."""
    return make_passages(draw, draw.choice((1, 2, 2, 3, 3, 3, 4, 5)))


def ask_with(draw: Draw, given: Passages) -> Exchange:
    """A question on given passages, which stand before it in the user's turn."""
    question = ask(draw, given)
    label = draw.choice(("", "Question: ", "Question: "))
    return plain(f"{given.block}\n\n{label}{question.text}", question.answer, question.wanted)


def make_passages(draw: Draw, count: int) -> Passages:
    """Passages on different subjects, often of one kind, so that they are easily confused."""
    shared = draw.choice(KINDS) if draw.chance(0.5) else None
    texts: list[str] = []
    facts: list[Fact] = []
    for passage in range(1, count + 1):
        kind = shared or draw.choice(KINDS)
        subject = _generic_subject(draw) if draw.chance(0.25) else _subject(draw, kind)
        text, told = _passage(draw, subject, passage)
        title = draw.expand("{n}.[txt|pdf|md]: ", n=draw.choice(NOUNS)) if draw.chance(0.1) else ""
        texts.append(f"{title}{text} [{passage}]")
        facts += told
    return Passages("Passages:\n" + "\n".join(texts), tuple(facts))


def ask(draw: Draw, given: Passages) -> Question:
    """A question on the passages, now and then one that they leave open."""
    fact = draw.choice(given.facts)
    if draw.chance(_UNANSWERED_SHARE):
        return _unanswered(draw, given, fact)
    section, slots = fact.attribute.section, {"e": fact.subject.entity, "n": fact.attribute.noun}
    answer = _sentence(section.answers[0].format(v=fact.value, **slots))
    wanted = (re.escape(fact.value), rf"\[{fact.passage}\]$")
    return Question(draw.ask(section, **slots), f"{answer} [{fact.passage}]", wanted)


def _unanswered(draw: Draw, given: Passages, fact: Fact) -> Question:
    """Something that a passage does not tell of its subject, or something of a subject that is in none."""
    subject, attribute = fact.subject, fact.attribute
    told = {
        (other.attribute.section.name, other.attribute.noun)
        for other in given.facts
        if other.subject is subject
    }
    untold = [other for other in subject.attributes if (other.section.name, other.noun) not in told]
    entity = subject.entity
    if untold and draw.chance(0.5):
        attribute = draw.choice(untold)
    else:
        entity = subject.stranger
    slots = {"e": entity, "n": attribute.noun}
    missing = attribute.section.missing[0].format(**slots)
    return Question(
        draw.ask(attribute.section, **slots), f"The passages don't say {missing}.", ("don't say",)
    )


def _passage(draw: Draw, subject: Subject, passage: int) -> tuple[str, list[Fact]]:
    told = draw.sample(subject.attributes, draw.between(1, min(3, len(subject.attributes))))
    facts = [Fact(subject, attribute, attribute.make(draw), passage) for attribute in told]
    sentences: list[str] = []
    for fact in facts:
        name = subject.entity if not sentences or draw.chance(0.4) else subject.pronoun
        pattern = draw.choice(fact.attribute.section.statements)
        sentences.append(_sentence(pattern.format(e=name, v=fact.value, n=fact.attribute.noun)))
    for _ in range(draw.choice((0, 0, 0, 1, 1, 2))):
        sentences.insert(draw.between(1, len(sentences)), draw.expand(draw.choice(subject.filler)))
    return " ".join(sentences), facts


def _subject(draw: Draw, kind: Kind) -> Subject:
    attributes = tuple(Attribute(_ATTRIBUTES[name], make) for name, make in kind.attributes)
    return Subject(kind.entity(draw), kind.entity(draw), kind.pronoun, attributes, kind.filler)


def _generic_subject(draw: Draw) -> Subject:
    name = draw.choice(GENERIC_OWNERS)
    entity = name(draw)
    attributes = tuple(
        Attribute(_ATTRIBUTES["generic"], make, noun) for noun, make in draw.sample(GENERIC_NOUNS, 3)
    )
    return Subject(
        entity, name(draw), entity, attributes, ("It was noted [last year|in spring|by the office].",)
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
