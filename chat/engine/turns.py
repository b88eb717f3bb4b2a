"""Whose turn it is among groups that cannot share a step: one who is computed alone, or all with the same adapter."""

from __future__ import annotations

from collections.abc import Collection, Hashable

# With another adapter llama.cpp lays out its computation anew: 1 to 7 ms for 24 layers, too much for each step.
TURN_S = 0.1


class Turns:
    """Gives each group turns of equal time, in a ring that newcomers join at its end."""

    def __init__(self) -> None:
        self._ring: list[Hashable] = []  # whose turn it is comes first
        self._current: Hashable = object()  # none of the groups
        self._spent_s = 0.0

    def next(self, groups: Collection[Hashable]) -> Hashable:
        """The group that computes the next step, one of `groups`."""
        staying = [group for group in self._ring if group in groups]
        self._ring = staying + [group for group in groups if group not in staying]
        if self._ring[0] == self._current and self._spent_s >= TURN_S:
            self._ring.append(self._ring.pop(0))
            self._spent_s = 0.0
        elif self._ring[0] != self._current:
            self._spent_s = 0.0
        self._current = self._ring[0]
        return self._current

    def spend(self, elapsed_s: float) -> None:
        """The group has computed for so long."""
        self._spent_s += elapsed_s
