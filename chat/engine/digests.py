"""What the model files hash to, so that it can be told later which ones wrote an answer. Knows no engines."""

from __future__ import annotations

import logging
import os
import sys
import threading

from chat.engine.checksums import sha256_of
from chat.engine.model_folder import FileState

logger = logging.getLogger(__name__)

_LOWEST_PRIORITY = 19


class FileDigests:
    """SHA-256 by the state of a file. Each is computed once, in the background: a large file takes a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[FileState, str] = {}
        self._pending: set[FileState] = set()

    def get(self, state: FileState) -> str | None:
        """The digest; None while it is being computed, which the first question begins."""
        with self._lock:
            if state not in self._known and state not in self._pending:
                self._pending.add(state)
                threading.Thread(target=self._compute, args=(state,), name="digest", daemon=True).start()
            return self._known.get(state)

    def _compute(self, state: FileState) -> None:
        if sys.platform == "linux":  # there it counts for this thread alone
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        try:
            digest = sha256_of(state.path)
        except OSError as exc:
            logger.warning("%s cannot be read: %s", state.path.name, exc)
            digest = ""
        with self._lock:
            self._pending.discard(state)
            if digest:
                self._known[state] = digest
