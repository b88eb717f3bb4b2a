"""What a training run is to do, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FALL_SHARE = 0.33
WARM_UP_STEPS = 60


@dataclass(frozen=True, slots=True)
class Phase:
    """A share of the steps, whose windows take turns."""

    windows: tuple[int, ...]
    share: float

    @classmethod
    def parse(cls, text: str) -> Phase:
        """A phase written as "256+512:0.7"."""
        windows, share = text.split(":")
        return cls(tuple(map(int, windows.split("+"))), float(share))


@dataclass(frozen=True, slots=True)
class Plan:
    """Length, samples, windows and rates of a run; the rate is constant, then falls to nothing."""

    folder: Path
    steps: int
    tokens_per_step: int
    tokens_per_piece: int
    phases: tuple[Phase, ...]
    seed: str
    mix: str
    matrix_rate: float
    other_rate: float
    checkpoint_every: int
    is_compiled: bool

    @property
    def num_pieces(self) -> int:
        """How many pieces the workers share out among themselves in a step."""
        return self.tokens_per_step // self.tokens_per_piece

    def window_at(self, step: int) -> int:
        """Window length of a step."""
        reached = 0.0
        for phase in self.phases:
            reached += phase.share
            if step < reached * self.steps:
                break
        return phase.windows[step % len(phase.windows)]

    def rate_at(self, step: int) -> float:
        """Share of the full learning rate at a step."""
        fall = (self.steps - step) / (self.steps * FALL_SHARE)
        return min(1.0, (step + 1) / WARM_UP_STEPS, max(0.0, fall))
