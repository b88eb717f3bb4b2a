"""The sampling fields that all of OpenAI's requests share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chat.domain.params import (
    FLOAT_BOUNDS,
    INT_BOUNDS,
    MAX_LOGIT_BIAS,
    MAX_LOGIT_BIASES,
    MAX_SEED,
    MAX_STOP_CHARS,
    MAX_STOP_STRINGS,
    SamplingParams,
)
from chat.http.body import Fields

MAX_CHOICES = 8
MAX_TOP_LOGPROBS = 20
MAX_TOKENS = 10_000_000
MAX_CLIENT_SEED = 2**63 - 1
MAX_DIGITS = 9


def sampling_of(fields: Fields, base: SamplingParams) -> SamplingParams:
    """`base` with what the client set. Raises: InvalidInput naming the field."""
    changes: dict[str, Any] = {}
    for name, low, high in FLOAT_BOUNDS:
        if name in fields:
            changes[name] = fields.number(name, low, high)
    for name, lowest, highest in INT_BOUNDS:
        if name in fields:
            changes[name] = fields.integer(name, lowest, highest)
    if "logit_bias" in fields:
        changes["logit_bias"] = _biases(fields)
    if (seed := fields.integer("seed", 0, MAX_CLIENT_SEED)) is not None:
        changes["seed"] = seed % MAX_SEED
    if stop := _stop(fields):
        changes["stop"] = stop
    return replace(base, **changes)


def with_length(fields: Fields, params: SamplingParams, longest: int | None, *names: str) -> SamplingParams:
    """`params` with the greatest length from the first of these fields that is set; the server allows `longest`."""
    given = [fields.integer(name, 1, MAX_TOKENS) for name in names]
    wanted = next((length for length in given if length is not None), params.max_tokens)
    limits = [length for length in (wanted, longest) if length is not None]
    return replace(params, max_tokens=min(limits, default=None))


def _biases(fields: Fields) -> tuple[tuple[int, float], ...]:
    """From `{"token": bias}`."""
    given = fields.mapping("logit_bias")
    if len(given) > MAX_LOGIT_BIASES:
        fields.refuse("logit_bias", f"must have at most {MAX_LOGIT_BIASES} tokens")
    return tuple((_token(fields, name), _bias(fields, bias)) for name, bias in given.items())


def _token(fields: Fields, name: str) -> int:
    if not (name.isascii() and name.isdecimal() and len(name) <= MAX_DIGITS):
        fields.refuse("logit_bias", "must be an object with the numbers of tokens as keys")
    return int(name)


def _bias(fields: Fields, value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not -MAX_LOGIT_BIAS <= value <= MAX_LOGIT_BIAS:
        fields.refuse("logit_bias", f"must have numbers from {-MAX_LOGIT_BIAS:g} to {MAX_LOGIT_BIAS:g}")
    return float(value)


def _stop(fields: Fields) -> tuple[str, ...]:
    value = fields.raw("stop")
    strings = [value] if isinstance(value, str) else fields.array("stop", max_items=MAX_STOP_STRINGS)
    for text in strings:
        if not isinstance(text, str) or not 0 < len(text) <= MAX_STOP_CHARS:
            fields.refuse("stop", f"must be a string of 1 to {MAX_STOP_CHARS} characters, or a list of such")
    return tuple(strings)
