"""Words that people put around a question, so that the question itself is what counts."""

from __future__ import annotations

from starter.draw import Draw
from starter.tables.reader import read_sections

_WORDS = read_sections("manners.txt")
_LEAD_SHARE, _TAIL_SHARE = 0.15, 0.1


def framed(draw: Draw, question: str) -> str:
    """The question, in training sometimes with words before or after it."""
    if draw.held_out:
        return question
    if draw.chance(_LEAD_SHARE):
        question = f"{_one(draw, 'lead')} {question[:1].lower()}{question[1:]}"
    if draw.chance(_TAIL_SHARE):
        question = f"{question.rstrip('.?!')}{_one(draw, 'tail')}"
    return question


def _one(draw: Draw, part: str) -> str:
    return draw.expand(draw.choice(_WORDS[part].answers))
