"""Which models may be in memory together. Knows neither engines nor what a model needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, RLock, Thread

# So long a model waits for the busy ones to become idle by themselves; then they take no new work, so that it gets
# its turn however many people use them.
PATIENCE_S = 30.0
POLL_S = 0.1


@dataclass(slots=True, eq=False)
class Resident:
    """A model in memory, or one that waits until there is room for it: `begin` is called when it may load.

    With `is_leaving` it gets no new work and ends when it is idle; with `is_over` it has ended.
    """

    need_bytes: int
    is_idle: Callable[[], bool]
    begin: Callable[[], object]
    close: Callable[[], object]
    asked_at: float = field(default_factory=time.monotonic)
    is_leaving: bool = False
    is_over: bool = False


class MemoryBudget:
    """Keeps the sum of what the models need within `limit_bytes`, by ending idle ones and by letting others wait.

    Who changes what `is_idle` of a resident answers holds `lock` meanwhile: an idle one is ended under it.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.lock = RLock()
        self._residents: list[Resident] = []  # the one not used for longest comes first
        self._waiting: list[Resident] = []  # the one that has waited longest comes first
        self._watcher: Thread | None = None

    @property
    def used_bytes(self) -> int:
        """What the models in memory need together; never blocks."""
        return sum(resident.need_bytes for resident in list(self._residents))

    def let_in(self, newcomer: Resident) -> None:
        """Let it begin now when there is room, else as soon as others have made it; first come, first served."""
        with self.lock:
            self._waiting.append(newcomer)
            self._settle()

    def touch(self, resident: Resident) -> None:
        """It is used: of all it is now the last that has to go."""
        with self.lock:
            if resident in self._residents:
                self._residents.remove(resident)
                self._residents.append(resident)

    def retire(self, resident: Resident) -> None:
        """End it as soon as it is idle."""
        with self.lock:
            resident.is_leaving = True
            self._settle()

    def end(self, resident: Resident) -> None:
        """End it now."""
        with self.lock:
            self._end(resident)
            self._settle()

    def close(self) -> None:
        """End all."""
        with self.lock:
            for resident in [*self._waiting, *self._residents]:
                self._end(resident)

    def _end(self, resident: Resident) -> None:
        for residents in (self._residents, self._waiting):
            if resident in residents:
                residents.remove(resident)
        if not resident.is_over:
            resident.is_over = True
            resident.close()

    def _settle(self) -> None:
        """End those that leave, let in those for whom there is room, and look again later when there are more."""
        for resident in [*self._residents, *self._waiting]:
            if resident.is_leaving and resident.is_idle():
                self._end(resident)
        while self._waiting and self._make_room(self._waiting[0]):
            newcomer = self._waiting.pop(0)
            self._residents.append(newcomer)
            newcomer.begin()
        if self._is_unsettled and self._watcher is None:
            self._watcher = Thread(target=self._watch, name="model memory", daemon=True)
            self._watcher.start()

    @property
    def _is_unsettled(self) -> bool:
        return bool(self._waiting) or any(resident.is_leaving for resident in self._residents)

    def _watch(self) -> None:
        while True:
            time.sleep(POLL_S)
            with self.lock:
                self._settle()
                if not self._is_unsettled:
                    self._watcher = None
                    return

    def _make_room(self, newcomer: Resident) -> bool:
        """End idle models when that suffices; none are ended in vain."""
        missing_bytes = self.used_bytes + newcomer.need_bytes - self.limit_bytes
        idle = _until(missing_bytes, [resident for resident in self._residents if resident.is_idle()])
        if sum(resident.need_bytes for resident in idle) >= missing_bytes:
            for resident in idle:
                self._end(resident)
            return True
        if time.monotonic() - newcomer.asked_at > PATIENCE_S:
            for resident in _until(missing_bytes, self._residents):
                resident.is_leaving = True
        return False


def room_at_once() -> Event:
    """For a model that need not wait for memory."""
    room = Event()
    room.set()
    return room


def _until(num_bytes: int, residents: list[Resident]) -> list[Resident]:
    """As many of the first ones as take `num_bytes`; all when that is too few."""
    chosen: list[Resident] = []
    for resident in residents:
        if num_bytes <= 0:
            break
        chosen.append(resident)
        num_bytes -= resident.need_bytes
    return chosen
