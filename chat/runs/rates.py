"""How fast a model was between two samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.runs.meters import Totals
from chat.runs.samples import ModelSample, Sample


@dataclass(frozen=True, slots=True)
class Rates:
    """None where nothing happened that could be measured.

    `written_per_s` are tokens of all answers together by the clock, counted while they are written. The others are told
    by the answers that ended in between: tokens read for each second of reading, time to the first token on average,
    and the share of prompts that did not have to be read again.
    """

    written_per_s: float
    read_per_s: float | None
    first_token_s: float | None
    reuse_share: float | None


def rates_between(earlier: Sample, later: Sample, model: str) -> Rates:
    """Of a model that is in the later sample; it may have been loaded in between."""
    now, before = later.models[model], earlier.models.get(model)
    totals, base = now.totals, before.totals if before else Totals()
    return Rates(
        written_per_s=_ratio(_num_written(before, now), later.at_s - earlier.at_s) or 0.0,
        read_per_s=_ratio(totals.computed_tokens - base.computed_tokens, totals.prefill_s - base.prefill_s),
        first_token_s=_ratio(
            totals.first_token_s - base.first_token_s, totals.num_first_tokens - base.num_first_tokens
        ),
        reuse_share=_ratio(
            totals.reused_tokens - base.reused_tokens, totals.prompt_tokens - base.prompt_tokens
        ),
    )


def recent_rates(samples: Sequence[Sample], model: str, window_s: float) -> Rates:
    """Those of the last `window_s` seconds, or of as much of them as there is."""
    last = samples[-1]
    first = next(sample for sample in samples if last.at_s - sample.at_s <= window_s)
    return rates_between(first, last, model)


def _num_written(before: ModelSample | None, now: ModelSample) -> int:
    """The count begins anew with each engine."""
    written, earlier = now.status.num_written_tokens, before.status.num_written_tokens if before else 0
    return written - earlier if written >= earlier else written


def _ratio(amount: float, per: float) -> float | None:
    return amount / per if per > 0 else None
