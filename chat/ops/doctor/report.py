"""A report as lines for a terminal: sections of facts, each with what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

NAME_WIDTH = 18
WIDTH = 88


@dataclass(slots=True)
class Section:
    """Facts under a heading. Hints are worth a thought; problems make the doctor fail."""

    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The heading, the facts, and then what is wrong."""
        yield self.title
        for name, value in self.facts:
            yield f"  {name:<{NAME_WIDTH}}{value}"
        for hint in self.hints:
            yield from _wrapped("hint: ", hint)
        for problem in self.problems:
            yield from _wrapped("PROBLEM: ", problem)


def num_problems(sections: Sequence[Section]) -> int:
    """In all of them."""
    return sum(len(section.problems) for section in sections)


def _wrapped(label: str, text: str) -> list[str]:
    indent = " " * (2 + len(label))
    return wrap(
        text,
        WIDTH,
        initial_indent=f"  {label}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
