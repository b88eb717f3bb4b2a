"""Charts of one answer, as numbers for the SVG of a template: shares of a bar, and heights of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from chat.domain.events import Numbered, ReasoningDelta, TextDelta, UsageReported

MAX_COLUMNS = 120


@dataclass(frozen=True, slots=True)
class Share:
    """A stretch of a bar. `x` and `width` are percentages as SVG takes them, whatever the reader's language."""

    name: str
    label: str
    amount: int
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Pace:
    """Milliseconds per token in the course of the answer. `columns` are (x, y, width, height) in percent."""

    columns: tuple[tuple[str, str, str, str], ...]
    median_ms: float
    slowest_ms: float


def bar_of(amounts: Sequence[tuple[str, str, int]]) -> tuple[Share, ...]:
    """Of (name, label, amount); what has none has no share."""
    total = sum(amount for _, _, amount in amounts)
    shares: list[Share] = []
    at = 0.0
    for name, label, amount in amounts:
        if amount > 0:
            width = 100 * amount / total
            shares.append(Share(name, label, amount, f"{at:.2f}%", f"{width:.2f}%"))
            at += width
    return tuple(shares)


def timing_bar(usage: UsageReported) -> tuple[Share, ...]:
    """Waiting, reading, writing; in milliseconds."""
    return bar_of(
        [
            ("queue", "Waiting in line", usage.queued_ms),
            ("prefill", "Reading the prompt", usage.prompt_ms),
            ("decode", "Writing", usage.completion_ms),
        ]
    )


def pace_of(events: Sequence[Numbered], since_ms: int, num_tokens: int) -> Pace | None:
    """From the times of the pieces of text written after `since_ms`; None for too few.

    The log merges tokens to at most 25 pieces a second: the tokens of a piece are reckoned by its length.
    """
    pieces = [
        (each.at_ms, len(each.event.text))
        for each in events
        if isinstance(each.event, (TextDelta, ReasoningDelta)) and each.at_ms >= since_ms
    ]
    num_chars = sum(length for _, length in pieces)
    if len(pieces) < 3 or not num_chars or not num_tokens:
        return None
    chars_per_token = num_chars / num_tokens
    paces = [
        (at_ms - earlier_ms) * chars_per_token / max(length, 1)
        for (earlier_ms, _), (at_ms, length) in pairwise(pieces)
    ]
    return Pace(_columns(_slowest_of_each_stretch(paces)), sorted(paces)[len(paces) // 2], max(paces))


def _slowest_of_each_stretch(paces: list[float]) -> list[float]:
    size = -(-len(paces) // MAX_COLUMNS)
    return [max(paces[start : start + size]) for start in range(0, len(paces), size)]


def _columns(paces: list[float]) -> tuple[tuple[str, str, str, str], ...]:
    top, width = max(*paces, 0.001), 100 / len(paces)
    heights = [100 * pace / top for pace in paces]
    return tuple(
        (f"{place * width:.2f}%", f"{100 - height:.2f}%", f"{width * 0.8:.2f}%", f"{height:.2f}%")
        for place, height in enumerate(heights)
    )
