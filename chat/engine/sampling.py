"""Samplers: one chain per sequence, in the order penalties, top_k, top_p, min_p, temperature, draw."""

from __future__ import annotations

import ctypes
import secrets
from typing import Any

import numpy as np

from chat.domain.params import MAX_SEED, SamplingParams
from chat.engine.backend import Logits, Sampler
from chat.engine.llama_library import library, pointer_to
from chat.engine.prefix import TokenArray

# How far back penalties look. llama.cpp's own default.
PENALTY_WINDOW_TOKENS = 64

# Below this the chain over the whole vocabulary takes less than 50 us.
SMALL_VOCABULARY = 16_384
# With all tokens allowed (`top_k` 0) the chain sorts the vocabulary: 14 ms for 150,000 tokens. These many candidates
# stand for all when next to nothing is left for the others.
NUM_FOR_ALL = 4096
ENOUGH_MASS = 0.9999

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def draw_seed(params: SamplingParams) -> int:
    """The seed that was asked for, else a new one."""
    return secrets.randbelow(MAX_SEED) if params.seed is None else params.seed


def build_sampler(params: SamplingParams, seed: int, vocab_size: int) -> Sampler:
    """The sampler for `params`. Temperature 0 takes the likeliest token, after penalties."""
    if params.temperature == 0 and not _has_penalties(params):
        return GreedySampler()
    return ChainSampler(_build_chain(params, seed, vocab_size), _build_filter(params, vocab_size), vocab_size)


class GreedySampler:
    """Takes the likeliest token."""

    is_finished = False

    def sample(self, logits: Logits) -> int:
        """The index of the largest logit; the lower one of equals."""
        return int(logits.argmax())

    draw = sample

    def draw_among(self, logits: Logits, ids: TokenArray) -> int:
        """The likeliest of these."""
        return int(ids[logits[ids].argmax()])

    def accept(self, token: int) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        """Nothing to free."""


class CandidateFilter:
    """Finds the likeliest tokens in a row of logits, mostly by one comparison with what the last rows needed."""

    def __init__(self, num_wanted: int) -> None:
        self._num_wanted = num_wanted
        self._threshold = np.inf

    def select(self, logits: Logits) -> TokenArray:
        """Ids of at least the `num_wanted` likeliest tokens, in no order."""
        ids = np.flatnonzero(logits > self._threshold)
        if not self._num_wanted <= len(ids) <= 8 * self._num_wanted:
            ids = np.argpartition(logits, -2 * self._num_wanted)[-2 * self._num_wanted :]
            self._threshold = logits[ids].min()
        return ids.astype(np.int32)


class MassFilter(CandidateFilter):
    """The same for chains that allow all tokens: takes all when the likeliest do not make up nearly everything."""

    def select(self, logits: Logits) -> TokenArray:
        """Ids of the tokens that matter."""
        ids = super().select(logits)
        weights = np.exp(logits - logits.max())
        has_enough = weights[ids].sum() > ENOUGH_MASS * weights.sum()
        return ids if has_enough else np.arange(len(logits), dtype=np.int32)


class ChainSampler:
    """A llama.cpp sampler chain over candidates in numpy memory."""

    is_finished = False

    def __init__(self, chain: Any, candidate_filter: CandidateFilter | None, vocab_size: int) -> None:
        self._chain = chain
        self._filter = candidate_filter
        self._all_ids = np.arange(vocab_size, dtype=np.int32)
        self._candidates = np.zeros(vocab_size, dtype=_CANDIDATE)
        self._array = library.llama_token_data_array()

    def sample(self, logits: Logits) -> int:
        """Draw a token, and let the penalties see it."""
        token = self.draw(logits)
        self.accept(token)
        return token

    def draw(self, logits: Logits) -> int:
        """Run the chain over one row of logits, without those tokens that it would drop first."""
        return self.draw_among(logits, self._filter.select(logits) if self._filter else self._all_ids)

    def draw_among(self, logits: Logits, ids: TokenArray) -> int:
        """Run the chain over these tokens only."""
        candidates = self._candidates[: len(ids)]
        candidates["id"] = ids  # the chain sorts in place
        candidates["logit"] = logits if ids is self._all_ids else logits[ids]
        self._array.data = pointer_to(candidates, library.llama_token_data)
        self._array.size = len(candidates)
        self._array.selected = -1
        self._array.sorted = False
        library.llama_sampler_apply(self._chain, ctypes.byref(self._array))
        return int(self._array.data[self._array.selected].id)

    def accept(self, token: int) -> None:
        """Let the penalties see a token."""
        library.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        """Free the chain and all that was added to it."""
        library.llama_sampler_free(self._chain)


def _build_chain(params: SamplingParams, seed: int, vocab_size: int) -> Any:
    chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
    for stage in _stages(params, seed, vocab_size):
        library.llama_sampler_chain_add(chain, stage)
    return chain


def _build_filter(params: SamplingParams, vocab_size: int) -> CandidateFilter | None:
    """None where every token has to pass the chain: penalties below their neutral value lift tokens up."""
    lifts = params.repeat_penalty < 1 or params.frequency_penalty < 0 or params.presence_penalty < 0
    # Penalties lower at most a window full of tokens: so many more may come into the first `top_k`.
    num_wanted = params.top_k + PENALTY_WINDOW_TOKENS
    if vocab_size < SMALL_VOCABULARY or lifts or num_wanted > NUM_FOR_ALL or params.temperature == 0:
        return None
    return CandidateFilter(num_wanted) if params.top_k else MassFilter(NUM_FOR_ALL)


def _stages(params: SamplingParams, seed: int, vocab_size: int) -> list[Any]:
    stages: list[Any] = []
    if _has_penalties(params):
        stages.append(
            library.llama_sampler_init_penalties(
                vocab_size,
                PENALTY_WINDOW_TOKENS,
                params.repeat_penalty,
                params.frequency_penalty,
                params.presence_penalty,
            )
        )
    if params.temperature == 0:
        return [*stages, library.llama_sampler_init_greedy()]
    return [
        *stages,
        library.llama_sampler_init_top_k(params.top_k),
        library.llama_sampler_init_top_p(params.top_p, 1),
        library.llama_sampler_init_min_p(params.min_p, 1),
        library.llama_sampler_init_temp(params.temperature),
        library.llama_sampler_init_dist(seed),
    ]


def _has_penalties(params: SamplingParams) -> bool:
    return params.repeat_penalty != 1.0 or params.frequency_penalty != 0.0 or params.presence_penalty != 0.0
