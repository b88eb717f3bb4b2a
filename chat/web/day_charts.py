"""Columns of a number for each day, for the SVG of a template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from chat.runs.numbers import Tally

Days = Sequence[tuple[date, Tally]]
Measure = tuple[str, Callable[[Tally], float]]


@dataclass(frozen=True, slots=True)
class Column:
    """Places and sizes are percentages as SVG takes them, whatever the reader's language."""

    label: str
    series: int
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class DayChart:
    """One chart; with two measures a day has two columns side by side."""

    name: str
    title: str
    summary: str
    series: tuple[str, ...]
    columns: tuple[Column, ...]
    top: str
    first_day: date
    last_day: date


def day_charts(days: Days) -> list[DayChart]:
    """All that the page draws."""
    return [
        _chart(days, "messages", "Messages", "", [("messages", lambda tally: tally.num_messages)]),
        _chart(days, "people", "People", "", [("people", lambda tally: tally.num_people)]),
        _chart(days, "tokens", "Tokens read and written", "", [("tokens", lambda tally: tally.num_tokens)]),
        _chart(
            days,
            "first-token",
            "Time to the first token",
            " ms",
            [("median", lambda tally: tally.p50_ms), ("95 % within", lambda tally: tally.p95_ms)],
        ),
        _chart(
            days, "speed", "Tokens per second", "", [("tokens/s", lambda tally: round(tally.tokens_per_s, 1))]
        ),
        _chart(days, "errors", "Errors", "", [("errors", lambda tally: tally.num_errors)]),
        _chart(
            days,
            "feedback",
            "Feedback",
            "",
            [("good answers", lambda tally: tally.num_good), ("bad answers", lambda tally: tally.num_bad)],
        ),
    ]


def _chart(days: Days, name: str, title: str, unit: str, measures: Sequence[Measure]) -> DayChart:
    tops = [max((measure(tally) for _, tally in days), default=0) for _, measure in measures]
    top = max(*tops, 0)
    columns = [
        _column(
            f"{day:%-d %b}: {value:,}{unit} {label}", series, place, value / top, len(days), len(measures)
        )
        for place, (day, tally) in enumerate(days)
        for series, (label, measure) in enumerate(measures)
        if (value := measure(tally))
    ]
    highest = ", ".join(f"{label} {value:,}{unit}" for (label, _), value in zip(measures, tops, strict=True))
    return DayChart(
        name=name,
        title=title,
        summary=f"By day. Highest: {highest}.",
        series=tuple(label for label, _ in measures),
        columns=tuple(columns),
        top=f"{top:,}{unit}",
        first_day=days[0][0],
        last_day=days[-1][0],
    )


def _column(label: str, series: int, place: int, share: float, num_days: int, num_series: int) -> Column:
    slot = 100 / num_days
    width = slot * 0.8 / num_series
    height = max(100 * share, 0.5)
    return Column(
        label,
        series,
        x=f"{place * slot + slot * 0.1 + series * width:.3f}%",
        y=f"{100 - height:.3f}%",
        width=f"{width:.3f}%",
        height=f"{height:.3f}%",
    )
