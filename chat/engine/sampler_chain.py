"""llama.cpp's own samplers, put into one chain in the order that llama.cpp's server uses:

penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature, then the draw. Mirostat (arXiv:2007.14966)
takes the place of all that cuts the distribution.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from chat.domain.params import SamplingParams
from chat.engine.llama_library import library

# llama.cpp's own default: where DRY begins to look for repetitions anew.
DRY_BREAKERS = (b"\n", b":", b'"', b"*")
# The tokens from which Mirostat 1 estimates its curve, as in its paper.
MIROSTAT_TOKENS = 100
KEEP_ONE = 1


def build_chain(params: SamplingParams, seed: int, vocab_size: int, vocab: Any) -> Any:
    """A chain that its owner frees. `vocab` is llama.cpp's, needed for DRY alone."""
    chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
    for stage in _stages(params, seed, vocab_size, vocab):
        library.llama_sampler_chain_add(chain, stage)
    return chain


def has_penalties(params: SamplingParams) -> bool:
    """Whether earlier tokens of the reply change what may follow."""
    return (
        params.repeat_penalty != 1.0
        or params.frequency_penalty != 0.0
        or params.presence_penalty != 0.0
        or params.dry_multiplier > 0
    )


def needs_all_tokens(params: SamplingParams) -> bool:
    """Whether some sampler looks at the whole vocabulary, or lifts tokens up from anywhere in it."""
    lifts = params.repeat_penalty < 1 or params.frequency_penalty < 0 or params.presence_penalty < 0
    looks = params.mirostat or params.top_n_sigma > 0 or params.dry_multiplier > 0
    return lifts or bool(looks)


def _stages(params: SamplingParams, seed: int, vocab_size: int, vocab: Any) -> Iterator[Any]:
    yield from _repetition_stages(params, vocab_size, vocab)
    if params.temperature == 0:
        yield library.llama_sampler_init_greedy()
    elif params.mirostat:
        yield library.llama_sampler_init_temp(params.temperature)
        yield _mirostat(params, seed, vocab_size)
    else:
        yield from _cutting_stages(params, seed)
        yield library.llama_sampler_init_temp_ext(
            params.temperature, params.dynatemp_range, params.dynatemp_exponent
        )
        yield _draw(params, seed)


def _repetition_stages(params: SamplingParams, vocab_size: int, vocab: Any) -> Iterator[Any]:
    if params.repeat_penalty != 1.0 or params.frequency_penalty != 0.0 or params.presence_penalty != 0.0:
        yield library.llama_sampler_init_penalties(
            vocab_size,
            params.repeat_last_n,
            params.repeat_penalty,
            params.frequency_penalty,
            params.presence_penalty,
        )
    if params.dry_multiplier > 0:
        breakers = (ctypes.c_char_p * len(DRY_BREAKERS))(*DRY_BREAKERS)
        yield library.llama_sampler_init_dry(
            vocab,
            params.dry_multiplier,
            params.dry_base,
            params.dry_allowed_length,
            params.repeat_last_n,
            breakers,
            len(breakers),
        )


def _cutting_stages(params: SamplingParams, seed: int) -> Iterator[Any]:
    if params.top_n_sigma > 0:
        yield library.llama_sampler_init_top_n_sigma(params.top_n_sigma)
    yield library.llama_sampler_init_top_k(params.top_k)
    if params.typical_p < 1:
        yield library.llama_sampler_init_typical(params.typical_p, KEEP_ONE)
    yield library.llama_sampler_init_top_p(params.top_p, KEEP_ONE)
    yield library.llama_sampler_init_min_p(params.min_p, KEEP_ONE)
    if params.xtc_probability > 0:
        yield library.llama_sampler_init_xtc(params.xtc_probability, params.xtc_threshold, KEEP_ONE, seed)


def _mirostat(params: SamplingParams, seed: int, vocab_size: int) -> Any:
    tau, eta = params.mirostat_tau, params.mirostat_eta
    if params.mirostat == 1:
        return library.llama_sampler_init_mirostat(vocab_size, seed, tau, eta, MIROSTAT_TOKENS)
    return library.llama_sampler_init_mirostat_v2(seed, tau, eta)


def _draw(params: SamplingParams, seed: int) -> Any:
    if params.adaptive_target >= 0:
        return library.llama_sampler_init_adaptive_p(params.adaptive_target, params.adaptive_decay, seed)
    return library.llama_sampler_init_dist(seed)
