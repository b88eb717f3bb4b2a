"""Samplers: one chain per sequence, in the order penalties, top_k, top_p, min_p, temperature, draw."""

from __future__ import annotations

import ctypes
import secrets
from typing import Any

import numpy as np

from chat.domain.params import MAX_SEED, SamplingParams
from chat.engine.backend import Logits, Sampler
from chat.engine.llama_library import library, pointer_to

# How far back penalties look. llama.cpp's own default.
PENALTY_WINDOW_TOKENS = 64

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def draw_seed(params: SamplingParams) -> int:
    """The seed that was asked for, else a new one."""
    return secrets.randbelow(MAX_SEED) if params.seed is None else params.seed


def build_sampler(params: SamplingParams, seed: int, vocab_size: int) -> Sampler:
    """The sampler for `params`. Temperature 0 takes the likeliest token, after penalties."""
    if params.temperature == 0 and not _has_penalties(params):
        return GreedySampler()
    return ChainSampler(_build_chain(params, seed, vocab_size), vocab_size)


class GreedySampler:
    """Takes the likeliest token."""

    def sample(self, logits: Logits) -> int:
        """The index of the largest logit; the lower one of equals."""
        return int(logits.argmax())

    def accept(self, token: int) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        """Nothing to free."""


class ChainSampler:
    """A llama.cpp sampler chain over candidates in numpy memory."""

    def __init__(self, chain: Any, vocab_size: int) -> None:
        self._chain = chain
        self._ids = np.arange(vocab_size, dtype=np.int32)
        self._candidates = np.zeros(vocab_size, dtype=_CANDIDATE)
        self._array = library.llama_token_data_array()

    def sample(self, logits: Logits) -> int:
        """Run the chain over one row of logits."""
        candidates = self._candidates
        candidates["id"] = self._ids  # the chain sorts in place
        candidates["logit"] = logits
        self._array.data = pointer_to(candidates, library.llama_token_data)
        self._array.size = len(candidates)
        self._array.selected = -1
        self._array.sorted = False
        library.llama_sampler_apply(self._chain, ctypes.byref(self._array))
        token = int(self._array.data[self._array.selected].id)
        self.accept(token)
        return token

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
