"""How long a waiting reply will wait, told from how long the last ones held their slots."""

from __future__ import annotations

import math
import time

_SMOOTHING = 0.3
# Coarser than it could be: each other number is an event that is stored and shown.
STEP_S = 5


class WaitEstimate:
    """A moving average of the time from a slot's being given to its being free again."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._held_s: float | None = None

    def admitted(self, sequence_id: int) -> None:
        """A sequence got a slot."""
        self._since[sequence_id] = time.monotonic()

    def left(self, sequence_id: int) -> None:
        """It ended, or it never had one."""
        since = self._since.pop(sequence_id, None)
        if since is not None:
            held_s = time.monotonic() - since
            self._held_s = (
                held_s if self._held_s is None else self._held_s + _SMOOTHING * (held_s - self._held_s)
            )

    def seconds(self, position: int) -> int | None:
        """For the `position`th in line, counted from 1; None while no reply has ended yet."""
        if self._held_s is None or not self._since:
            return None
        return math.ceil(position * self._held_s / len(self._since) / STEP_S) * STEP_S
