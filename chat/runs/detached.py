"""Runs that store nothing: a program asks, reads the answer while it is written, and that is all.

A run whose last reader leaves is cancelled. One that was asked for under an idempotency key stays in memory for a
while after its end, so that the same request again is given the same answer.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chat.domain.errors import Conflict
from chat.domain.events import RunFinished
from chat.domain.reply import ReplyBuilder
from chat.runs.log import EventLog
from chat.runs.pool import RunPool
from chat.runs.task import Job, Task

KEPT_S = 600.0
MAX_KEPT = 256


@dataclass(slots=True)
class _Entry:
    run_id: int
    key: str
    fingerprint: str
    num_readers: int = 0
    ended_at: float = 0.0


class DetachedRuns:
    """Starts, shares and ends them. Thread-safe."""

    def __init__(self, log: EventLog, pool: RunPool) -> None:
        self._log = log
        self._pool = pool
        self._ids = itertools.count(-1, -1)  # below zero: never the id of a row
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        self._id_of_key: dict[str, int] = {}

    @contextmanager
    def open(self, task: Task, *, key: str = "", fingerprint: str = "") -> Iterator[int]:
        """Start a run, or join the one of the same `key`; gives its id. Leaving the block ends one nobody reads.

        Raises: Overloaded, Conflict when `key` was used for another request (another `fingerprint`).
        """
        run_id = self.enter(task, key=key, fingerprint=fingerprint)
        try:
            yield run_id
        finally:
            self.leave(run_id)

    def enter(self, task: Task, *, key: str = "", fingerprint: str = "") -> int:
        """The first half of `open`; `leave` must follow."""
        with self._lock:
            self._forget_old()
            if entry := self._entries.get(self._id_of_key.get(key, 0)):
                if entry.fingerprint != fingerprint:
                    raise Conflict(
                        "This Idempotency-Key was used for another request.", hint="Use a new key."
                    )
                entry.num_readers += 1
                return entry.run_id
            self._pool.check_room()
            run_id = next(self._ids)
            self._entries[run_id] = _Entry(run_id, key, fingerprint, num_readers=1)
            if key:
                self._id_of_key[key] = run_id
        self._pool.submit_detached(Job(run_id, lambda: task, lambda _reply, _end: None))
        return run_id

    def leave(self, run_id: int) -> None:
        """A reader has left: cancels and forgets the run when it was the last, unless its answer is to be kept."""
        with self._lock:
            entry = self._entries[run_id]
            entry.num_readers -= 1
            if entry.num_readers:
                return
            if entry.key and self._has_answer(run_id):
                entry.ended_at = time.monotonic()
                return
            self._drop(entry)
        self._pool.cancel(run_id)

    def _has_answer(self, run_id: int) -> bool:
        """A failure is not kept: the same request again is a new try."""
        return isinstance(ReplyBuilder.of(self._log.read(run_id)).terminal, RunFinished)

    def _forget_old(self) -> None:
        kept = [entry for entry in self._entries.values() if entry.ended_at and not entry.num_readers]
        deadline = time.monotonic() - KEPT_S
        surplus = len(kept) - MAX_KEPT
        for number, entry in enumerate(sorted(kept, key=lambda entry: entry.ended_at)):
            if entry.ended_at < deadline or number < surplus:
                self._drop(entry)

    def _drop(self, entry: _Entry) -> None:
        self._entries.pop(entry.run_id, None)
        self._id_of_key.pop(entry.key, None)
        self._log.forget(entry.run_id)
