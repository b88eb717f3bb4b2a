"""Sampler chains: candidates that are left out beforehand must change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from chat.domain.params import SamplingParams
from chat.engine import sampling
from chat.engine.sampling import build_sampler, draw_seed

LARGE = 40_000


def rows(num_rows: int, vocab_size: int = LARGE) -> list[np.ndarray]:
    """Rows that resemble each other, as those of one text do."""
    chance = np.random.default_rng(5)
    base = chance.standard_normal(vocab_size) * 2
    return [(base + chance.standard_normal(vocab_size) * 1.5).astype(np.float32) for _ in range(num_rows)]


def choices(params: SamplingParams, vocab_size: int = LARGE) -> list[int]:
    sampler = build_sampler(params, 11, vocab_size)
    chosen = [sampler.sample(row) for row in rows(60, vocab_size)]
    sampler.close()
    return chosen


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(),
        SamplingParams(temperature=1.5, top_k=400, top_p=1.0, min_p=0.0),
        SamplingParams(repeat_penalty=1.3, presence_penalty=1.0, frequency_penalty=0.5),
        SamplingParams(presence_penalty=-1.0),
    ],
    ids=["default", "wide", "penalties", "rewards"],
)
def test_leaving_out_unlikely_candidates_changes_no_choice(
    params: SamplingParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    filtered = choices(params)
    monkeypatch.setattr(sampling, "SMALL_VOCABULARY", LARGE + 1)

    assert filtered == choices(params)


def test_with_all_tokens_allowed_nothing_likely_is_left_out() -> None:
    nucleus = choices(SamplingParams(temperature=1.0, top_k=0, top_p=0.5, min_p=0.0))

    for token, row in zip(nucleus, rows(60), strict=True):
        order = np.argsort(row)[::-1]
        weights = np.exp(row[order] - row.max())
        ahead = weights[: int(np.flatnonzero(order == token)[0])].sum() / weights.sum()
        assert ahead < 0.5


def test_a_flat_distribution_keeps_every_token() -> None:
    sampler = build_sampler(SamplingParams(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0), 3, LARGE)
    flat = np.zeros(LARGE, dtype=np.float32)

    chosen = {sampler.sample(flat) for _ in range(50)}

    assert max(chosen) > 30_000
    assert len(chosen) > 45
    sampler.close()


def test_greedy_takes_the_likeliest() -> None:
    assert choices(SamplingParams(temperature=0.0)) == [int(row.argmax()) for row in rows(60)]


def test_greedy_obeys_penalties() -> None:
    sampler = build_sampler(SamplingParams(temperature=0.0, presence_penalty=2.0), 0, 100)
    row = np.zeros(100, dtype=np.float32)
    row[7], row[8] = 1.5, 1.0

    assert [sampler.sample(row.copy()) for _ in range(2)] == [7, 8]
    sampler.close()


def test_a_seed_that_was_asked_for_is_kept_and_others_are_drawn() -> None:
    assert draw_seed(SamplingParams(seed=0)) == 0
    assert len({draw_seed(SamplingParams()) for _ in range(5)}) == 5
