"""Sampler chains: candidates that are left out beforehand must change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from chat.domain.errors import InvalidInput
from chat.domain.params import SamplingParams
from chat.engine import sampling
from chat.engine.config import EngineConfig
from chat.engine.llama_library import library, load_weights
from chat.engine.sampling import build_sampler, draw_seed
from tests.conftest import STARTER

LARGE = 40_000


@pytest.fixture(scope="module")
def starter_vocab() -> Iterator[tuple[object, int]]:
    """llama.cpp's vocabulary of the starter model, and its size."""
    model = load_weights(STARTER, EngineConfig())
    vocab = library.llama_model_get_vocab(model)
    yield vocab, library.llama_vocab_n_tokens(vocab)
    library.llama_model_free(model)


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


@pytest.mark.parametrize(
    "changes",
    [
        {"typical_p": 0.3},
        {"top_n_sigma": 0.5},
        {"dry_multiplier": 5.0, "dry_allowed_length": 1},
        {"xtc_probability": 1.0, "xtc_threshold": 0.05},
        {"dynatemp_range": 0.6},
        {"mirostat": 1, "mirostat_tau": 1.0},
        {"mirostat": 2, "mirostat_tau": 1.0},
        {"adaptive_target": 0.9},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_each_sampler_changes_the_choices_and_repeats_them(
    changes: dict[str, float], starter_vocab: tuple[object, int]
) -> None:
    vocab, vocab_size = starter_vocab
    base = SamplingParams(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)

    def written(params: SamplingParams) -> list[int]:
        sampler = build_sampler(params, 11, vocab_size, vocab)
        few = np.zeros(vocab_size, dtype=np.float32) - 20
        few[:6] = np.arange(6)
        chosen = [sampler.sample(few.copy()) for _ in range(60)]
        sampler.close()
        return chosen

    changed = written(replace(base, **changes))

    assert changed != written(base)
    assert changed == written(replace(base, **changes))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_biases_forbid_and_force_tokens(temperature: float) -> None:
    row = np.zeros(LARGE, dtype=np.float32)
    row[7] = 30.0

    def choice(*biases: tuple[int, float]) -> int:
        sampler = build_sampler(SamplingParams(temperature=temperature, logit_bias=biases), 1, LARGE)
        token = sampler.sample(row)
        sampler.close()
        return token

    assert choice((8, 1.0)) == 7
    assert choice((7, -100.0)) != 7
    assert choice((9, 100.0), (7, -100.0)) == 9
    assert row[7] == 30.0


def test_a_bias_for_a_token_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the model has 100 tokens"):
        build_sampler(SamplingParams(logit_bias=((100, 1.0),)), 1, 100)
