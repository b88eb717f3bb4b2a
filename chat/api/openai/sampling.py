"""The sampling fields that all of OpenAI's requests share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chat.domain.params import MAX_SEED, MAX_STOP_CHARS, MAX_STOP_STRINGS, SamplingParams
from chat.http.body import Fields

MAX_CHOICES = 8
MAX_TOP_LOGPROBS = 20
MAX_TOKENS = 10_000_000
MAX_CLIENT_SEED = 2**63 - 1

# Name, lowest, highest: OpenAI's, then the engine's own.
_NUMBERS = (
    ("temperature", 0.0, 2.0),
    ("top_p", 0.0, 1.0),
    ("presence_penalty", -2.0, 2.0),
    ("frequency_penalty", -2.0, 2.0),
    ("min_p", 0.0, 1.0),
    ("repeat_penalty", 0.5, 2.0),
)


def sampling_of(fields: Fields, base: SamplingParams) -> SamplingParams:
    """`base` with what the client set. Raises: InvalidInput naming the field."""
    changes: dict[str, Any] = {}
    for name, low, high in _NUMBERS:
        if name in fields:
            changes[name] = fields.number(name, low, high)
    if "top_k" in fields:
        changes["top_k"] = fields.integer("top_k", 0, 1_000_000)
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


def _stop(fields: Fields) -> tuple[str, ...]:
    value = fields.raw("stop")
    strings = [value] if isinstance(value, str) else fields.array("stop", max_items=MAX_STOP_STRINGS)
    for text in strings:
        if not isinstance(text, str) or not 0 < len(text) <= MAX_STOP_CHARS:
            fields.refuse("stop", f"must be a string of 1 to {MAX_STOP_CHARS} characters, or a list of such")
    return tuple(strings)
