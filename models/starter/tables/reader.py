r"""Reads the tables.

A line that starts with `## ` opens a section; a mark says what the lines under it are (`FIELDS`); lines without a mark
are rows of cells between bars, and indented lines are code. `\n` stands for a line break, and a line that starts with
`# ` is a comment. In tables of entries every answer that follows a question opens an entry of its own, and the words
between asterisks are those that a right answer must have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
FIELDS = {
    "?": "asks",
    "!": "held_out_asks",
    "=": "answers",
    "+": "statements",
    ">": "notes",
    "-": "missing",
    "@": "owners",
}
_MARKED = re.compile(r"\*([^*]+)\*")


@dataclass(slots=True)
class Section:
    """What a table says on one thing; `asks` are phrasings for training, `held_out_asks` those for evaluation."""

    name: str = ""
    asks: list[str] = field(default_factory=list)
    held_out_asks: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Takes in a line of the table."""
        mark, _, text = line.partition(" ")
        if line.startswith("    "):
            self.code.append(line[4:])
        elif mark in FIELDS:
            getattr(self, FIELDS[mark]).append(text.strip())
        else:
            self.rows.append(tuple(cell.strip() for cell in line.split("|")))


@dataclass(frozen=True, slots=True)
class Entry:
    """A question in many phrasings, the answers that say the same, and a pattern of what makes an answer right."""

    asks: list[str]
    held_out_asks: list[str]
    answers: list[str]
    right_answer: str


@cache
def read_sections(name: str) -> dict[str, Section]:
    """Sections by name."""
    sections: dict[str, Section] = {}
    for line in _lines(name):
        if line.startswith("## "):
            section = sections[line[3:]] = Section(line[3:])
        else:
            section.add(line)
    return sections


@cache
def read_entries(name: str) -> list[Entry]:
    """Entries in order."""
    sections: list[Section] = []
    for line in _lines(name):
        if line.startswith("= ") and (not sections or sections[-1].asks):
            sections.append(Section())
        sections[-1].add(line)
    return [_entry(section) for section in sections]


@cache
def read_rows(name: str) -> list[tuple[str, ...]]:
    """Rows of a table that has nothing else."""
    section = Section()
    for line in _lines(name):
        section.add(line)
    return section.rows


def _entry(section: Section) -> Entry:
    patterns = (
        "".join(f"(?=.*{re.escape(word)})" for word in _MARKED.findall(answer)) for answer in section.answers
    )
    answers = [answer.replace("*", "") for answer in section.answers]
    return Entry(section.asks, section.held_out_asks, answers, "|".join(patterns))


def _lines(name: str) -> list[str]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.replace(r"\n", "\n") for line in lines if line.strip() and not line.startswith("# ")]
