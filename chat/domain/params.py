"""How to generate: sampling parameters with bounds, and the request that the engine takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from chat.domain.errors import InvalidInput
from chat.domain.messages import ChatMessage, ToolSpec

MAX_STOP_STRINGS = 16
MAX_STOP_CHARS = 256
MAX_SEED = 2**32 - 1

# What most people know of sampling; all else is off unless someone turns it on.
USUAL_FIELDS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "frequency_penalty",
    "presence_penalty",
    "max_tokens",
    "seed",
    "stop",
)
MAX_LOGIT_BIASES = 1000
MAX_LOGIT_BIAS = 100.0

# Name, lowest, highest. llama.cpp itself accepts NaN, top_p 5 and top_k -5 without a word.
FLOAT_BOUNDS = (
    ("temperature", 0.0, 2.0),
    ("top_p", 0.0, 1.0),
    ("min_p", 0.0, 1.0),
    ("typical_p", 0.0, 1.0),
    ("top_n_sigma", 0.0, 10.0),
    ("repeat_penalty", 0.5, 2.0),
    ("frequency_penalty", -2.0, 2.0),
    ("presence_penalty", -2.0, 2.0),
    ("dry_multiplier", 0.0, 10.0),
    ("dry_base", 1.0, 10.0),
    ("xtc_probability", 0.0, 1.0),
    ("xtc_threshold", 0.0, 1.0),
    ("dynatemp_range", 0.0, 2.0),
    ("dynatemp_exponent", 0.0, 10.0),
    ("mirostat_tau", 0.0, 20.0),
    ("mirostat_eta", 0.0, 1.0),
    ("adaptive_target", -1.0, 1.0),
    ("adaptive_decay", 0.0, 0.99),
)
INT_BOUNDS = (
    ("top_k", 0, 1_000_000),
    ("repeat_last_n", 0, 2048),
    ("dry_allowed_length", 1, 1000),
    ("mirostat", 0, 2),
)


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Checked on construction, so that no other layer has to.

    Temperature 0 is greedy. `top_k` 0 means all tokens. `max_tokens` None means up to the end of the context.
    `seed` None draws a new one for each generation. The other samplers are llama.cpp's, under its names, and off by
    default: `typical_p` at 1, `mirostat`, `top_n_sigma`, `dry_multiplier`, `xtc_probability` and `dynatemp_range` at
    0, `adaptive_target` below 0. Penalties and DRY look back at `repeat_last_n` tokens of the reply. `logit_bias`
    holds pairs of a token and what is added to its logit.

    Raises: InvalidInput naming the field and its bounds.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repeat_last_n: int = 64
    typical_p: float = 1.0
    top_n_sigma: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    adaptive_target: float = -1.0
    adaptive_decay: float = 0.9
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in FLOAT_BOUNDS:
            _check_float(name, getattr(self, name), low, high)
        for name, lowest, highest in INT_BOUNDS:
            _check_int(name, getattr(self, name), lowest, highest)
        if self.seed is not None:
            _check_int("seed", self.seed, 0, MAX_SEED)
        if self.max_tokens is not None:
            _check_int("max_tokens", self.max_tokens, 1, 10_000_000)
        self._check_stop()
        self._check_biases()

    def _check_stop(self) -> None:
        if len(self.stop) > MAX_STOP_STRINGS:
            raise InvalidInput(
                f"stop has {len(self.stop)} strings; at most {MAX_STOP_STRINGS} are allowed.", field="stop"
            )
        for stop in self.stop:
            if not 0 < len(stop) <= MAX_STOP_CHARS:
                raise InvalidInput(
                    f"Each stop string must have 1 to {MAX_STOP_CHARS} characters.", field="stop"
                )

    def _check_biases(self) -> None:
        if len(self.logit_bias) > MAX_LOGIT_BIASES:
            raise InvalidInput(
                f"logit_bias has {len(self.logit_bias)} tokens; at most {MAX_LOGIT_BIASES} are allowed.",
                field="logit_bias",
            )
        for token, bias in self.logit_bias:
            _check_int("logit_bias", token, 0, MAX_SEED)
            _check_float("logit_bias", bias, -MAX_LOGIT_BIAS, MAX_LOGIT_BIAS)


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """A LoRA adapter's file in one state: `version` is another when the file was replaced."""

    path: Path
    version: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One call of the model.

    `scope` names whose text this is: cached prefixes are shared only within a scope. `reply_prefix` is text that the
    reply already begins with (Continue, or a restarted engine): the model goes on after it, and it is not yielded
    again. With `prompt` the model goes on after exactly this text: no template, `messages` is empty. `grammar` is
    GBNF that the reply keeps to; "" leaves it free. `top_logprobs` (0 to 20) asks for each token's log-probability
    and that many alternatives. With `is_alone` the reply is computed from the first token on in steps of its own: the
    same request then gives the same tokens, whatever else runs. Slower, for it and for the others. `adapter` changes
    the model's weights for this reply; whoever knows the models by name (`ModelRegistry`) fills it in.
    """

    messages: tuple[ChatMessage, ...] = ()
    params: SamplingParams = field(default_factory=SamplingParams)
    tools: tuple[ToolSpec, ...] = ()
    scope: str = ""
    reply_prefix: str = ""
    prompt: str | None = None
    grammar: str = ""
    top_logprobs: int | None = None
    is_alone: bool = False
    adapter: AdapterFile | None = None


def _check_float(name: str, value: object, low: float, high: float) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type, operator]
        raise InvalidInput(f"{name} must be a number from {low:g} to {high:g}.", field=name)


def _check_int(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(f"{name} must be a whole number from {low} to {high}.", field=name)
