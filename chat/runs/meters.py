"""What runs came to, counted for `/metrics`: tokens and times of each generation, and how runs end.

Observed where a generation or a run ends, so that nothing is done for a token.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from chat.domain.events import RunFailed, Terminal
from chat.engine.pieces import GenerationUsage

# A time series of its own for the moment at which each counter began would double the text.
disable_created_metrics()  # type: ignore[no-untyped-call]

FIRST_TOKEN_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
TOKEN_BUCKETS_S = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the generations of one model since the start. `computed_tokens` are those of prompts not reused."""

    prompt_tokens: float = 0
    reused_tokens: float = 0
    generated_tokens: float = 0
    prefill_s: float = 0
    first_token_s: float = 0
    num_first_tokens: float = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def computed_tokens(self) -> float:
        """Of the prompts' tokens those that were not reused."""
        return self.prompt_tokens - self.reused_tokens


class RunMeters:
    """The counters of one runtime, in a registry of its own. Any thread may count."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._prompt = self._counter("prompt_tokens", "Tokens of prompts, reused ones included.")
        self._reused = self._counter(
            "reused_tokens", "Tokens of prompts that did not have to be computed again."
        )
        self._generated = self._counter("generated_tokens", "Tokens of answers.")
        self._prefill_s = self._counter("prefill_seconds", "Time from a slot to the first token.")
        self._decode_s = self._counter(
            "decode_seconds", "Time from the first token of answers to their last."
        )
        self._first_token = Histogram(
            "parley_first_token_seconds",
            "Time from the question to the first token, waiting in line included.",
            ["model"],
            buckets=FIRST_TOKEN_BUCKETS_S,
            registry=self.registry,
        )
        self._token = Histogram(
            "parley_token_seconds",
            "Time between two tokens of an answer: one observation for each answer, its mean.",
            ["model"],
            buckets=TOKEN_BUCKETS_S,
            registry=self.registry,
        )
        self._runs = Counter(
            "parley_runs", "Runs that ended, by reason.", ["model", "reason"], registry=self.registry
        )
        self._errors = Counter(
            "parley_run_errors", "Runs that failed, by error code.", ["code"], registry=self.registry
        )

    def count_generation(self, model: str, usage: GenerationUsage) -> None:
        """A generation has ended; one that never had a slot has nothing to count."""
        if not usage.prompt_tokens:
            return
        self._prompt.labels(model).inc(usage.prompt_tokens)
        self._reused.labels(model).inc(usage.cached_tokens)
        self._generated.labels(model).inc(usage.completion_tokens)
        self._prefill_s.labels(model).inc(usage.prompt_ms / 1000)
        self._decode_s.labels(model).inc(usage.completion_ms / 1000)
        if usage.completion_tokens:
            self._first_token.labels(model).observe((usage.queued_ms + usage.prompt_ms) / 1000)
        if usage.completion_tokens > 1:
            self._token.labels(model).observe(usage.completion_ms / 1000 / (usage.completion_tokens - 1))

    def count_end(self, model: str, end: Terminal) -> None:
        """A run has ended; `model` is "" when it ended before a model was found."""
        if isinstance(end, RunFailed):
            self._runs.labels(model, "error").inc()
            self._errors.labels(end.code).inc()
        else:
            self._runs.labels(model, end.reason).inc()

    def totals(self) -> dict[str, Totals]:
        """By model."""
        found: dict[str, dict[str, float]] = {}
        for metric in self.registry.collect():
            for sample in metric.samples:
                if (field := _FIELDS.get(sample.name)) is not None:
                    found.setdefault(sample.labels["model"], {})[field] = sample.value
        return {model: Totals(**fields) for model, fields in found.items()}

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"parley_{name}", meaning, ["model"], registry=self.registry)


_FIELDS = {
    "parley_prompt_tokens_total": "prompt_tokens",
    "parley_reused_tokens_total": "reused_tokens",
    "parley_generated_tokens_total": "generated_tokens",
    "parley_prefill_seconds_total": "prefill_s",
    "parley_first_token_seconds_sum": "first_token_s",
    "parley_first_token_seconds_count": "num_first_tokens",
}
