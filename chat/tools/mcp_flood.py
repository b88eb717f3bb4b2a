"""How much an MCP server may send: it runs beside the server that people chat with, and must not drown it."""

from __future__ import annotations

import time

MAX_MESSAGE_BYTES = 4_000_000
WINDOW_S = 10.0
MAX_BYTES_A_WINDOW = 16_000_000
MAX_MESSAGES_A_WINDOW = 2000


class McpServerLost(ConnectionError):
    """The connection is of no more use; the message says why, for the log."""


class FloodGuard:
    """Counts what comes over one connection."""

    def __init__(self) -> None:
        self._begin()

    def count(self, num_bytes: int) -> None:
        """Raises: McpServerLost for more than a well-meaning server sends."""
        if time.monotonic() - self._began_at > WINDOW_S:
            self._begin()
        self._num_bytes += num_bytes
        self._num_messages += 1
        if self._num_bytes > MAX_BYTES_A_WINDOW or self._num_messages > MAX_MESSAGES_A_WINDOW:
            raise McpServerLost(f"it sent too much within {WINDOW_S:g} seconds")

    def _begin(self) -> None:
        self._began_at = time.monotonic()
        self._num_bytes = self._num_messages = 0
