"""Samplers: one for each sequence. Most tokens are left out before llama.cpp's chain sees them; it changes nothing."""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np

from chat.domain.errors import InvalidInput
from chat.domain.params import MAX_SEED, SamplingParams
from chat.engine.backend import Logits, Sampler
from chat.engine.llama_library import library, pointer_to
from chat.engine.prefix import TokenArray
from chat.engine.sampler_chain import build_chain, has_penalties, needs_all_tokens

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


def build_sampler(params: SamplingParams, seed: int, vocab_size: int, vocab: Any = None) -> Sampler:
    """The sampler for `params`. Temperature 0 takes the likeliest token, after penalties and biases.

    `vocab` is llama.cpp's. Raises: InvalidInput when a bias is for a token that the model does not have.
    """
    sampler: Sampler = GreedySampler()
    if params.temperature > 0 or has_penalties(params):
        chain = build_chain(params, seed, vocab_size, vocab)
        sampler = ChainSampler(chain, _build_filter(params, vocab_size), vocab_size)
    return BiasedSampler(sampler, params.logit_bias, vocab_size) if params.logit_bias else sampler


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


class BiasedSampler:
    """Adds to the logits of some tokens, then lets another sampler choose."""

    def __init__(self, sampler: Sampler, biases: Sequence[tuple[int, float]], vocab_size: int) -> None:
        self._sampler = sampler
        self._ids = np.array([token for token, _ in biases], dtype=np.int32)
        self._values = np.array([value for _, value in biases], dtype=np.float32)
        if self._ids.max() >= vocab_size:
            raise InvalidInput(
                f"logit_bias names token {self._ids.max()}; the model has {vocab_size} tokens.",
                field="logit_bias",
            )

    @property
    def is_finished(self) -> bool:
        """See `Sampler`."""
        return self._sampler.is_finished

    def sample(self, logits: Logits) -> int:
        """See `Sampler`."""
        return self._sampler.sample(self._biased(logits))

    def draw(self, logits: Logits) -> int:
        """See `Sampler`."""
        return self._sampler.draw(self._biased(logits))

    def draw_among(self, logits: Logits, ids: TokenArray) -> int:
        """See `Sampler`."""
        return self._sampler.draw_among(self._biased(logits), ids)

    def accept(self, token: int) -> None:
        """See `Sampler`."""
        self._sampler.accept(token)

    def close(self) -> None:
        """See `Sampler`."""
        self._sampler.close()

    def _biased(self, logits: Logits) -> Logits:
        biased = logits.copy()
        biased[self._ids] += self._values
        return biased


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


def _build_filter(params: SamplingParams, vocab_size: int) -> CandidateFilter | None:
    """None where every token has to pass the chain."""
    # Penalties lower at most a window full of tokens: so many more may come into the first `top_k`.
    num_wanted = params.top_k + params.repeat_last_n
    is_small = vocab_size < SMALL_VOCABULARY
    if is_small or needs_all_tokens(params) or num_wanted > NUM_FOR_ALL or params.temperature == 0:
        return None
    return CandidateFilter(num_wanted) if params.top_k else MassFilter(NUM_FOR_ALL)
