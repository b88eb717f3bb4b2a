"""Chooses the number of compute threads by measuring, again and again, because the machine's load changes.

Threads wait for each other after each operation. One busy neighbour on a core makes that 8 to 50 times slower than
computing alone, and a very small model is faster on one thread at any time.
"""

from __future__ import annotations

import time

PROBE_INTERVAL_S = 2.0
_SMOOTHING = 0.4


class ThreadGovernor:
    """Remembers how long each kind of step takes with each number of threads, and tries the others now and then.

    A kind of step is a number: how many replies it writes to, 0 for a step with a prompt in it.
    """

    def __init__(self, max_threads: int, first_choice: int) -> None:
        self._candidates = sorted(
            {first_choice, max_threads, max(1, max_threads - 1), max(1, max_threads // 2)}
        )
        self._first_choice = first_choice
        self._seconds: dict[tuple[int, int], float] = {}
        self._probed_at: dict[tuple[int, int], float] = {}

    def choose(self, kind: int) -> int:
        """The number of threads for the next step: mostly the fastest, sometimes one that was not tried for long."""
        best = self._best(kind)
        now = time.monotonic()
        for candidate in self._candidates:
            if (
                candidate != best
                and now - self._probed_at.setdefault((kind, candidate), now) > PROBE_INTERVAL_S
            ):
                self._probed_at[kind, candidate] = now
                return candidate
        return best

    def record(self, kind: int, num_threads: int, seconds: float) -> None:
        """Learn how long a step took; for prompts, seconds for each token."""
        old = self._seconds.get((kind, num_threads), seconds)
        self._seconds[kind, num_threads] = old + _SMOOTHING * (seconds - old)

    def _best(self, kind: int) -> int:
        measured = [candidate for candidate in self._candidates if (kind, candidate) in self._seconds]
        return min(measured, key=lambda candidate: self._seconds[kind, candidate], default=self._first_choice)
