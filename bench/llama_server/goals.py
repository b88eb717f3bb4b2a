"""The goals of the engine beside llama-server, and whether a run reached them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.llama_server.servers import DEFAULTS, PARLEY, TUNED

MODELS = ("qwen", "smol")
WORST_GAP_MS = 300.0
BANDWIDTH_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Point:
    """One figure of one scenario with one model, told in many rounds."""

    model: str
    scenario: str
    figure: str


# Of each contestant, the figures of all rounds.
Samples = Mapping[Point, Mapping[str, list[float]]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What Parley's figure divided by the peer's has to be: at least the target, or at most."""

    name: str
    point: Point
    peer: str
    sense: Literal[">=", "<="]
    target: float

    def judge(self, samples: Samples) -> str | None:
        """The line for this goal; None when it was not measured."""
        if self.point not in samples:
            return None
        figures = samples[self.point]
        ratio = statistics.median(figures[PARLEY]) / statistics.median(figures[self.peer])
        return verdict(self.name, ratio, self.sense, self.target)


def verdict(name: str, value: float, sense: str, target: float, unit: str = "ratio") -> str:
    """One of the last lines of a run."""
    is_reached = value >= target if sense == ">=" else value <= target
    return f"goal {name} {unit} {value:.3g} target {sense}{target:g} {'ok' if is_reached else 'short'}"


def all_goals(models: Iterable[str]) -> list[Goal]:
    """The goals against llama-server as it comes and as tuned by hand, for each model."""
    return [goal for model in models for goal in _goals_of(model)]


def absolute_lines(samples: Samples, limits: Mapping[str, float]) -> list[str]:
    """The goals that need no peer; `limits` is how many tokens a second the memory allows for each model."""
    lines = []
    for model, limit in limits.items():
        gap = Point(model, "long-prompt", "worst_gap_ms")
        if gap in samples:
            worst = statistics.median(samples[gap][PARLEY])
            lines.append(verdict(f"{model}.long-prompt.worst_gap", worst, "<=", WORST_GAP_MS, "ms"))
        alone = Point(model, "one-stream", "written_per_s")
        if alone in samples:
            share = statistics.median(samples[alone][PARLEY]) / limit
            lines.append(verdict(f"{model}.one-stream.bandwidth", share, ">=", BANDWIDTH_SHARE, "share"))
    return lines


def _goals_of(model: str) -> list[Goal]:
    many = {"qwen": 1.15, "smol": 1.7}[model]
    rows: list[tuple[str, str, Literal[">=", "<="], float, float | None]] = [
        ("eight-streams", "tokens_per_s", ">=", many, 1.0),
        ("eight-streams", "first_ms", "<=", 0.7, 0.7),
        ("shared-prompt", "tokens_per_s", ">=", 2.0, 1.0),
        ("shared-prompt", "first_ms", "<=", 0.35, 0.7),
        ("long-prompt", "worst_gap_ms", "<=", 0.1, 0.7),
        ("long-prompt", "total_s", "<=", 1.05, None),
        ("one-stream", "tokens_per_s", ">=", 1.05, 0.98),
        ("later-turns", "first_ms", "<=", 0.8, 1.0),
        ("busy-machine", "tokens_per_s", ">=", 3.0, 3.0),
    ]
    return [
        Goal(f"{model}.{scenario}.{figure}.vs-{label}", Point(model, scenario, figure), peer, sense, target)
        for scenario, figure, sense, default_target, tuned_target in rows
        for label, peer, target in (("defaults", DEFAULTS, default_target), ("tuned", TUNED, tuned_target))
        if target is not None
    ]
