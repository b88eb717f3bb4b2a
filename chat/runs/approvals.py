"""Approvals: what runs are asking people at this moment, and where the answers arrive."""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError

from chat.domain.errors import Conflict, NotFound


class Approvals:
    """A future for each call that waits for a word. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[int, dict[str, Future[bool]]] = {}

    def ask(self, run_id: int, call_id: str) -> Future[bool]:
        """Resolves to the answer. Whoever asks withdraws the question by `cancel`, and forgets it in the end."""
        future: Future[bool] = Future()
        with self._lock:
            self._asked.setdefault(run_id, {})[call_id] = future
        return future

    def answer(self, run_id: int, call_id: str, *, is_allowed: bool) -> None:
        """Raises: NotFound when the run does not ask this, Conflict when it was answered or withdrawn before."""
        with self._lock:
            future = self._asked.get(run_id, {}).get(call_id)
        if future is None:
            raise NotFound("Nothing is being asked here any more.")
        try:
            future.set_result(is_allowed)
        except InvalidStateError:
            raise Conflict("This was answered already.", hint="The first answer counts.") from None

    def forget(self, run_id: int) -> None:
        """The run goes on or has ended: it takes no more answers to what it asked so far."""
        with self._lock:
            self._asked.pop(run_id, None)
