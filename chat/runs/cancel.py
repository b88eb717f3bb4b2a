"""A word to a run that it should end, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

Reason = Literal["stopped", "shutdown"]


class CancelToken:
    """Set once; the first reason stands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason: Reason | None = None
        self._callbacks: list[Callable[[], object]] = []

    @property
    def reason(self) -> Reason | None:
        """Why the run should end; None while it may go on."""
        return self._reason

    def set(self, reason: Reason) -> None:
        """Ask the run to end. Does nothing the second time."""
        with self._lock:
            self._reason = self._reason or reason
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def when_set(self, callback: Callable[[], object]) -> None:
        """Call it when the token is set, on the thread that sets it; at once when it is set already."""
        with self._lock:
            if self._reason is None:
                self._callbacks.append(callback)
                return
        callback()
