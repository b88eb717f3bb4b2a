"""Chooses the number of compute threads by measuring, again and again, because the machine's load changes.

Threads wait for each other after each operation. One busy neighbour on a core makes that 8 to 70 times slower than
computing alone, and a very small model is faster on one thread at any time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

PROBE_INTERVAL_S = 2.0
# A probe that took long is repeated only after so many times its length: trying costs at most three per cent.
PROBE_COST_FACTOR = 30
# A probe is broken off when it takes so many times what the present choice takes: nobody shall wait for it.
PROBE_LIMIT_FACTOR = 3.0
PROBE_MIN_LIMIT_S = 0.05
_SMOOTHING = 0.3
_CLEARLY_FASTER = 0.9
_SUDDENLY_SLOWER = 2.5
_NUM_SLOW_STEPS = 3


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """On how many threads to run a step, and after how long to break it off; None for a step that is no probe."""

    num_threads: int
    limit_s: float | None = None


class ThreadGovernor:
    """One choice for steps that only write, another for steps with a prompt in them; both begin with few threads.

    A kind of step is a number: how many replies it writes to, 0 for a step with a prompt.
    """

    def __init__(self, *candidates: int) -> None:
        fewest, *more = sorted(candidates)
        self._prompts = _Lane(fewest, more)
        self._writing = _Lane(fewest, more)

    @classmethod
    def up_to(cls, max_threads: int) -> ThreadGovernor:
        """Chooses between all, all but one, and half of the threads."""
        return cls(*{max(1, max_threads // 2), max(1, max_threads - 1), max_threads})

    def plan(self, kind: int, num_tokens: int) -> ThreadPlan:
        """For the next step: mostly the fastest number of threads, now and then another one to try."""
        return self._lane(kind).plan(kind, 1 if kind else num_tokens)

    def record(self, kind: int, num_threads: int, num_tokens: int, elapsed_s: float) -> None:
        """Learn how long a step of `num_tokens` took, or for how long it ran until it was broken off."""
        pace_s = elapsed_s if kind else elapsed_s / num_tokens
        self._lane(kind).record(kind, num_threads, pace_s, elapsed_s)

    def _lane(self, kind: int) -> _Lane:
        return self._writing if kind else self._prompts


class _Lane:
    """The choice for comparable steps. `_pace_s` is how long they take with it, None while that is unknown."""

    def __init__(self, choice: int, others: Iterable[int]) -> None:
        self._choice = choice
        self._kind = -1
        self._pace_s: float | None = None
        self._num_slow = 0
        self._probe_at = dict.fromkeys(others, 0.0)

    def plan(self, kind: int, num_units: int) -> ThreadPlan:
        """A probe needs something to compare with: a step of the same kind with the present choice."""
        if kind == self._kind and self._pace_s is not None and self._probe_at:
            candidate = min(self._probe_at, key=lambda each: self._probe_at[each])
            if time.monotonic() >= self._probe_at[candidate]:
                expected_s = self._pace_s * num_units
                return ThreadPlan(candidate, max(PROBE_MIN_LIMIT_S, PROBE_LIMIT_FACTOR * expected_s))
        return ThreadPlan(self._choice)

    def record(self, kind: int, num_threads: int, pace_s: float, elapsed_s: float) -> None:
        """Compare a probe with the present choice, or learn more about the choice."""
        if num_threads != self._choice:
            self._judge_probe(num_threads, pace_s, elapsed_s)
        elif kind != self._kind or self._pace_s is None:
            self._kind, self._pace_s = kind, pace_s
        else:
            self._watch_for_trouble(pace_s)
            self._pace_s += _SMOOTHING * (pace_s - self._pace_s)

    def _judge_probe(self, num_threads: int, pace_s: float, elapsed_s: float) -> None:
        is_faster = self._pace_s is not None and pace_s < _CLEARLY_FASTER * self._pace_s
        loser, cost_s = num_threads, elapsed_s
        if is_faster and self._pace_s is not None:
            loser, cost_s = self._choice, elapsed_s * self._pace_s / pace_s
            self._choice, self._pace_s = num_threads, pace_s
            del self._probe_at[num_threads]
        self._probe_at[loser] = time.monotonic() + max(PROBE_INTERVAL_S, PROBE_COST_FACTOR * cost_s)

    def _watch_for_trouble(self, pace_s: float) -> None:
        """A neighbour that starts to compute shows as a jump: then the others are tried at once."""
        assert self._pace_s is not None, "there is something to compare with"
        self._num_slow = self._num_slow + 1 if pace_s > _SUDDENLY_SLOWER * self._pace_s else 0
        if self._num_slow >= _NUM_SLOW_STEPS:
            self._num_slow = 0
            self._probe_at = dict.fromkeys(self._probe_at, 0.0)
