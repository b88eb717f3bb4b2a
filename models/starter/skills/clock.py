"""Time, date and weekday by the clock tool."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starter import words
from starter.conversation import Exchange, assistant, calling, plain, tool_result, user
from starter.draw import Draw
from starter.skills.manners import framed
from starter.tables.reader import read_rows, read_sections

_TABLE = read_sections("clock.txt")
_TIMEZONES = read_rows("timezones.txt")
_CONTINENTS = ("Europe", "Asia", "Africa", "America", "Australia")
_ERROR_SHARE = 0.04
# What is asked, and the part of the reading that a right answer has.
_HERE = (("time", "time"), ("date", "date"), ("weekday", "weekday"), ("year", "year"))


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading of the clock."""

    weekday: str
    day: str
    month: str
    year: str
    time: str
    zone: str

    def __str__(self) -> str:
        return f"{self.weekday} {self.date}, {self.time} ({self.zone})"

    @property
    def date(self) -> str:
        """Day, month and year."""
        return f"{self.day} {self.month} {self.year}"


def clock(draw: Draw) -> Exchange:
    """Question, call, reading, answer."""
    if not draw.held_out and draw.chance(_ERROR_SHARE):
        return _failing(draw)
    return _elsewhere(draw) if draw.chance(0.45) else _here(draw)


def zone_of_city(draw: Draw) -> Exchange:
    """The IANA name of a city's time zone, which the calls need."""
    city, zone = draw.choice(_TIMEZONES)
    return plain(
        draw.ask(_TABLE["zone"], city=city), f"{city} is in the time zone {zone}.", (re.escape(zone),)
    )


def without_clock(draw: Draw) -> Exchange:
    """The same where no clock is on offer."""
    asked, _ = draw.choice(_HERE)
    return plain(draw.ask(_TABLE[asked]), draw.choice(_TABLE["no clock"].answers), ("clock",))


def _here(draw: Draw) -> Exchange:
    asked, part = draw.choice(_HERE)
    now = _moment(draw, draw.choice(("UTC", "UTC", "UTC", draw.choice(_TIMEZONES)[1])))
    question = framed(draw, draw.ask(_TABLE[asked]))
    # The whole reading answers every question on it, however it was put.
    turns = (user(question), calling("clock"), tool_result(str(now)), assistant(f"It is {now}."))
    return Exchange(turns, (re.escape(getattr(now, part)),))


def _elsewhere(draw: Draw) -> Exchange:
    city, zone = draw.choice(_TIMEZONES)
    now = _moment(draw, zone)
    question = framed(draw, draw.ask(_TABLE["elsewhere"], city=city))
    turns = (
        user(question),
        calling("clock", timezone=zone),
        tool_result(str(now)),
        assistant(f"In {city} it is {now}."),
    )
    return Exchange(turns, (re.escape(now.time), re.escape(city)))


def _failing(draw: Draw) -> Exchange:
    """A place that the clock does not know."""
    city, zone = words.place(draw), f"{draw.choice(_CONTINENTS)}/{words.made_up(draw)}"
    question = draw.ask(_TABLE["elsewhere"], city=city)
    answer = draw.choice(_TABLE["failing"].answers)
    error = draw.choice(_TABLE["failing"].notes).format(zone=zone)
    return Exchange((user(question), calling("clock", timezone=zone), tool_result(error), assistant(answer)))


def _moment(draw: Draw, zone: str) -> Moment:
    day, year = str(draw.between(1, 30)), str(draw.between(2024, 2060))
    return Moment(
        draw.choice(words.WEEKDAYS), day, draw.choice(words.MONTHS), year, words.time_of_day(draw), zone
    )
