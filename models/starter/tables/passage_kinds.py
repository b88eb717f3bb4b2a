"""The kinds of things that passages tell of: how each is named, its attributes, and sentences that say nothing."""

from __future__ import annotations

from dataclasses import dataclass

from starter import words
from starter.draw import Draw
from starter.words import Make


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing; `attributes` name sections of passages.txt, each with the maker of its values."""

    entity: Make
    pronoun: str
    attributes: tuple[tuple[str, Make], ...]
    filler: tuple[str, ...]


def _building(draw: Draw) -> str:
    noun = draw.expand("[bridge|tower|castle|lighthouse|museum|library|theatre|station|school|mill]")
    return draw.choice((f"the {words.made_up(draw)} {noun}", f"the {noun} of {words.place(draw)}"))


def _company(draw: Draw) -> str:
    return words.made_up(draw) + draw.expand(" [Works|Bank|Labs|Foods|Motors|Group|Press|Systems]")


def _product(draw: Draw) -> str:
    return f"the {words.made_up(draw)} {draw.choice(words.NOUNS)}"


def _event(draw: Draw) -> str:
    return f"the {words.made_up(draw)} " + draw.expand(
        "[fair|race|concert|meeting|market|festival|course|show]"
    )


def _book(draw: Draw) -> str:
    return f'"The {words.made_up(draw)} {draw.choice(words.NOUNS).capitalize()}"'


def _matter(draw: Draw) -> str:
    return f"the {words.made_up(draw)} " + draw.expand(
        "[request|refund|permit|report|repair|claim|order|visit]"
    )


def _project(draw: Draw) -> str:
    return f"Project {words.made_up(draw)}"


KINDS = (
    Kind(
        _building,
        "it",
        (
            ("built", words.year),
            ("opened", words.year),
            ("height", words.amount),
            ("length", words.amount),
            ("architect", words.full_name),
        ),
        ("Visitors [love|enjoy] the view.", "It is [open|closed] on Sundays.", "[Many|Few] people know it."),
    ),
    Kind(
        words.full_name,
        "this person",
        (
            ("home", words.place),
            ("birth", words.year),
            ("phone", words.phone),
            ("room", words.code),
            ("pet", words.made_up),
        ),
        ("[Colleagues|Neighbours|Friends] say only good things.", "The work is [hard|quiet|fun]."),
    ),
    Kind(
        _company,
        "the company",
        (
            ("founded", words.year),
            ("head", words.full_name),
            ("seat", words.place),
            ("staff", words.amount),
            ("product", words.things),
        ),
        ("Business is [good|slow|steady].", "The [canteen|garden|hall] was renewed."),
    ),
    Kind(
        _product,
        "it",
        (
            ("price", words.price),
            ("weight", words.amount),
            ("colour", words.colour),
            ("order number", words.code),
            ("maker", words.full_name),
        ),
        ("It comes in a [small|large] box.", "Keep it [dry|cool|clean]."),
    ),
    Kind(
        _event,
        "it",
        (
            ("start", words.time_of_day),
            ("day", words.date),
            ("venue", words.place),
            ("speaker", words.full_name),
        ),
        ("[Children|Guests] are welcome.", "[Tea|Soup|Coffee] is served."),
    ),
    Kind(
        words.place,
        "the town",
        (
            ("population", words.amount),
            ("mayor", words.full_name),
            ("river", words.made_up),
            ("fame", words.things),
            ("founded", words.year),
        ),
        ("Winters are [mild|cold|long].", "The market is on [Friday|Monday|Saturday]."),
    ),
    Kind(
        _matter,
        "this",
        (("limit", words.days), ("form", words.code), ("contact", words.full_name), ("deadline", words.date)),
        ("[Please be patient.|Bring your card.|Copies are kept.]",),
    ),
    Kind(
        _book,
        "the book",
        (("author", words.full_name), ("printed", words.year), ("price", words.price)),
        ("It has a [blue|red|plain] cover.", "Readers [praise|love] it."),
    ),
)

# Anything can have one of these; they are told and asked by the section "generic".
GENERIC_OWNERS: tuple[Make, ...] = (words.made_up, words.place, words.full_name, _project, _product)
GENERIC_NOUNS: tuple[tuple[str, Make], ...] = (
    ("password", words.code),
    ("colour", words.colour),
    ("owner", words.full_name),
    ("capital", words.place),
    ("total", words.amount),
    ("serial number", words.code),
    ("budget", words.price),
    ("leader", words.full_name),
    ("nickname", words.made_up),
    ("emblem", words.a_thing),
    ("deadline", words.date),
    ("version", words.decimal),
    ("address", words.address),
    ("opening time", words.time_of_day),
    ("score", words.amount),
    ("code name", words.made_up),
    ("temperature", words.decimal),
    ("birthday", words.date),
    ("host", words.first_name),
    ("area", words.area),
)
