"""How the engines are doing, sampled every two seconds and remembered for ten minutes, for the page that draws it.

A sample takes half a millisecond, so they are taken whether or not anybody looks.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from chat.engine.adapters import JOINT
from chat.engine.pieces import EngineStatus
from chat.engine.registry import ModelRegistry
from chat.runs.log import EventLog
from chat.runs.meters import RunMeters, Totals

INTERVAL_S = 2.0
KEPT_S = 600.0
# Less than the interval: whoever looks between two ticks of the thread gets a sample at most that old.
DUE_AFTER_S = 1.5


@dataclass(frozen=True, slots=True)
class ModelSample:
    """One loaded model at a moment; `totals` count since the start. `memory_bytes` 0: not known."""

    status: EngineStatus
    totals: Totals
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment of the server. `at_s` is on the monotonic clock."""

    at_s: float
    web_memory_bytes: int
    num_streams: int
    models: dict[str, ModelSample]


class Sampler:
    """Takes samples on a thread of its own once it is started; without one, whenever somebody asks."""

    def __init__(self, registry: ModelRegistry, meters: RunMeters, log: EventLog) -> None:
        self._registry = registry
        self._meters = meters
        self._log = log
        self._samples: deque[Sample] = deque(maxlen=int(KEPT_S / INTERVAL_S))
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_closed, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin to sample. Call once."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._is_closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def samples(self) -> list[Sample]:
        """Those of the last ten minutes, oldest first; there is at least one."""
        self._take_if_due()
        with self._lock:
            return list(self._samples)

    def _sample_until_closed(self) -> None:
        while not self._is_closed.wait(INTERVAL_S):
            self._take_if_due()

    def _take_if_due(self) -> None:
        with self._lock:
            last_s = self._samples[-1].at_s if self._samples else 0.0
            if time.monotonic() - last_s >= DUE_AFTER_S:
                self._samples.append(self._take())

    def _take(self) -> Sample:
        totals = self._meters.totals()
        statuses = {status.model: status for status in self._registry.status()}
        models = {
            name: ModelSample(
                status,
                _with_adapters(name, totals),
                resident_bytes(status.pid) if status.pid else 0,
            )
            for name, status in statuses.items()
        }
        return Sample(time.monotonic(), resident_bytes(os.getpid()), self._log.num_readers, models)


def _with_adapters(model: str, totals: dict[str, Totals]) -> Totals:
    """An engine serves a model and all its adapters; answers are counted by the name that was asked for."""
    names = [name for name in totals if name == model or name.startswith(model + JOINT)]
    return sum((totals[name] for name in names), Totals())


def resident_bytes(pid: int) -> int:
    """The memory that a process has in use, shared pages included; 0 where the system does not tell, or it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
