"""Chooses the number of compute threads by measuring, again and again, because the machine's load changes.

Threads wait for each other after each operation. One busy neighbour on a core makes that 8 to 70 times slower than
computing alone, and a very small model is faster on one thread at any time.
"""

from __future__ import annotations

import time

PROBE_INTERVAL_S = 2.0
# A probe that took long is repeated only after so many times its length: trying costs at most three per cent.
PROBE_COST_FACTOR = 30
_SMOOTHING = 0.3
_CLEARLY_FASTER = 0.9
_SUDDENLY_SLOWER = 2.5
_NUM_SLOW_STEPS = 3


class ThreadGovernor:
    """One choice for steps that only write, another for steps with a prompt in them.

    A kind of step is a number: how many replies it writes to, 0 for a step with a prompt.
    """

    def __init__(self, max_threads: int, first_choice: int) -> None:
        candidates = sorted({first_choice, max_threads, max(1, max_threads - 1), max(1, max_threads // 2)})
        self._prompts = _Lane(candidates, first_choice)
        self._writing = _Lane(candidates, first_choice)

    def choose(self, kind: int) -> int:
        """The number of threads for the next step: mostly the fastest, now and then another one to try."""
        return self._lane(kind).choose(kind)

    def record(self, kind: int, num_threads: int, num_tokens: int, elapsed_s: float) -> None:
        """Learn how long a step of `num_tokens` took."""
        pace_s = elapsed_s if kind else elapsed_s / num_tokens
        self._lane(kind).record(kind, num_threads, pace_s, elapsed_s)

    def _lane(self, kind: int) -> _Lane:
        return self._writing if kind else self._prompts


class _Lane:
    """The choice for comparable steps. `_pace_s` is how long they take with it, None while that is unknown."""

    def __init__(self, candidates: list[int], first_choice: int) -> None:
        self._choice = first_choice
        self._kind = -1
        self._pace_s: float | None = None
        self._num_slow = 0
        self._probe_at = dict.fromkeys((each for each in candidates if each != first_choice), 0.0)

    def choose(self, kind: int) -> int:
        """A probe needs something to compare with: a step of the same kind with the present choice."""
        if kind == self._kind and self._pace_s is not None and self._probe_at:
            candidate = min(self._probe_at, key=lambda each: self._probe_at[each])
            if time.monotonic() >= self._probe_at[candidate]:
                return candidate
        return self._choice

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
