"""States of sequences that left their slot, kept in memory to be used again. Knows no slots and no library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chat.engine.prefix import Prefix

State = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ParkedState:
    """One sequence's state and the tokens that it was computed from."""

    prefix: Prefix
    state: State


@dataclass(frozen=True, slots=True)
class Match:
    """A parked state and how many of its tokens are of use."""

    parked: ParkedState
    length: int


class PrefixStore:
    """Parked states, at most `max_bytes` of them; the least recently used go first.

    Without `can_drop_tail` a state is of use only as a whole: such models keep no record of earlier tokens.
    """

    def __init__(self, max_bytes: int, *, can_drop_tail: bool) -> None:
        self._max_bytes = max_bytes
        self._can_drop_tail = can_drop_tail
        self._parked: list[ParkedState] = []  # least recently used first
        self.num_bytes = 0

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, prefix: Prefix, state: State) -> None:
        """Keep `state`; what it makes superfluous goes, then the least recently used until all fits."""
        if state.nbytes > self._max_bytes:
            return
        for parked in [parked for parked in self._parked if self._is_superseded(parked.prefix, prefix)]:
            self._drop(parked)
        self._parked.append(ParkedState(prefix, state))
        self.num_bytes += state.nbytes
        while self.num_bytes > self._max_bytes:
            self._drop(self._parked[0])

    def longest_prefix(self, wanted: Prefix) -> Match | None:
        """The parked state with most tokens of use; it becomes the most recently used."""
        best: Match | None = None
        for parked in self._parked:
            length = parked.prefix.reusable_for(wanted)
            if not self._can_drop_tail and length < len(parked.prefix):
                continue
            if length > (best.length if best else 0):
                best = Match(parked, length)
        if best:
            self._parked.remove(best.parked)
            self._parked.append(best.parked)
        return best

    def has(self, wanted: Prefix) -> bool:
        """True when a parked state begins with all of `wanted`; changes nothing."""
        return any(parked.prefix.reusable_for(wanted) == len(wanted) for parked in self._parked)

    def clear(self) -> None:
        """Forget everything."""
        self._parked.clear()
        self.num_bytes = 0

    def _drop(self, parked: ParkedState) -> None:
        self._parked.remove(parked)
        self.num_bytes -= parked.state.nbytes

    def _is_superseded(self, old: Prefix, new: Prefix) -> bool:
        """True when `new` serves everyone whom `old` serves: the same owner's longer text, but never a shared state."""
        if old.scope != new.scope or old.reusable_for(new) < len(old):
            return False
        is_shared = old.num_shared == len(old)
        return len(old) == len(new) or (self._can_drop_tail and not is_shared)
