"""The last ten minutes of a model as columns of six seconds, for the SVG of a template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chat.domain.sizes import size_text
from chat.runs.rates import Rates, rates_between
from chat.runs.samples import KEPT_S, Sample

COLUMN_S = 6.0
NUM_COLUMNS = int(KEPT_S / COLUMN_S)
# In units of the drawing, which is 100 high and a unit wide for each column.
GAP = 0.1
MIN_HEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One model in the course of a column. The counts are the highest."""

    num_running: int
    num_queued: int
    memory_bytes: int
    rates: Rates


Moments = Sequence[Moment | None]


@dataclass(frozen=True, slots=True)
class Measure:
    """What a chart draws; `value_of` is None where there was nothing to measure."""

    name: str
    title: str
    value_of: Callable[[Moment], float | None]
    words: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class LiveChart:
    """One chart.

    `path` is in units of a box of `NUM_COLUMNS` by 100; `latest` and `highest` are "" when nothing was measured.
    """

    name: str
    title: str
    latest: str
    highest: str
    summary: str
    path: str


def live_charts(samples: Sequence[Sample], model: str) -> list[LiveChart]:
    """All that the page draws of a model that is in the last sample."""
    moments = moments_of(samples, model)
    num_slots = samples[-1].models[model].status.num_slots
    tops = {"slots": num_slots, "reuse": 1.0}
    return [_chart(measure, moments, tops.get(measure.name, 0.0)) for measure in _MEASURES]


def moments_of(samples: Sequence[Sample], model: str) -> Moments:
    """The columns, oldest first; None for one without a sample of the model.

    Columns end at multiples of six seconds: they move on by whole columns, and do not flicker.
    """
    last = _column_of(samples[-1])
    groups: dict[int, list[Sample]] = {}
    for sample in samples:
        if model in sample.models:
            groups.setdefault(_column_of(sample), []).append(sample)
    moments: list[Moment | None] = []
    previous: Sample | None = None
    for column in range(last - NUM_COLUMNS + 1, last + 1):
        group = groups.get(column)
        moments.append(_moment(group, previous or group[0], model) if group else None)
        previous = group[-1] if group else previous
    return moments


def _column_of(sample: Sample) -> int:
    return int(sample.at_s // COLUMN_S)


def _moment(group: list[Sample], previous: Sample, model: str) -> Moment:
    states = [sample.models[model] for sample in group]
    return Moment(
        num_running=max(state.status.num_running for state in states),
        num_queued=max(state.status.num_queued for state in states),
        memory_bytes=states[-1].memory_bytes,
        rates=rates_between(previous, group[-1], model),
    )


def _chart(measure: Measure, moments: Moments, full: float) -> LiveChart:
    values = [measure.value_of(moment) if moment else None for moment in moments]
    known = [value for value in values if value is not None]
    if not known:
        return LiveChart(measure.name, measure.title, "", "", "Nothing in the last ten minutes.", "")
    highest, latest = measure.words(max(known)), measure.words(known[-1])
    summary = f"Last ten minutes. Latest: {latest}. Highest: {highest}."
    path = _path(values, max(*known, full))
    return LiveChart(measure.name, measure.title, latest, highest, summary, path)


def _path(values: Sequence[float | None], top: float) -> str:
    """A bar for each value that is more than nothing."""
    bars = [
        f"M{place + GAP:g} 100V{100 - max(100 * value / top, MIN_HEIGHT):.1f}h{1 - 2 * GAP:g}V100z"
        for place, value in enumerate(values)
        if value
    ]
    return "".join(bars)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _rate(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


_MEASURES = (
    Measure("slots", "Answers being written", lambda moment: moment.num_running, _whole),
    Measure("queue", "Waiting in line", lambda moment: moment.num_queued, _whole),
    Measure("decode", "Tokens written per second", lambda moment: moment.rates.written_per_s, _rate),
    Measure("prefill", "Reading speed, tokens per second", lambda moment: moment.rates.read_per_s, _rate),
    Measure(
        "first-token",
        "Time to the first token",
        lambda moment: moment.rates.first_token_s,
        lambda seconds: f"{1000 * seconds:,.0f} ms",
    ),
    Measure(
        "reuse",
        "Prompts reused",
        lambda moment: moment.rates.reuse_share,
        lambda share: f"{100 * share:.0f} %",
    ),
    Measure("memory", "Memory of the engine", lambda moment: moment.memory_bytes or None, size_text),
)
