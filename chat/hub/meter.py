"""How far a download is, and how fast it goes."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock

WINDOW_S = 10.0
SAMPLE_S = 0.25


class Meter:
    """Counts bytes. One thread adds, any thread reads."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._done_bytes = 0
        self._samples: deque[tuple[float, int]] = deque()  # when, and bytes from the network until then
        self._fetched_bytes = 0
        self._lock = Lock()

    @property
    def done_bytes(self) -> int:
        """What is there, from before too."""
        return self._done_bytes

    @property
    def bytes_per_s(self) -> float:
        """Of the last ten seconds; 0 before anything can be said."""
        with self._lock:
            now = time.monotonic()
            recent = [sample for sample in self._samples if now - sample[0] <= WINDOW_S]
            if not recent:
                return 0.0
            return (self._fetched_bytes - recent[0][1]) / max(now - recent[0][0], SAMPLE_S)

    @property
    def seconds_left(self) -> float | None:
        """At this speed; None while nothing moves."""
        speed = self.bytes_per_s
        return (self.total_bytes - self._done_bytes) / speed if speed else None

    def begin(self) -> None:
        """Bytes from the network follow."""
        with self._lock:
            self._samples.append((time.monotonic(), self._fetched_bytes))

    def fetched(self, num_bytes: int) -> None:
        """So many came from the network."""
        with self._lock:
            now = time.monotonic()
            self._done_bytes += num_bytes
            self._fetched_bytes += num_bytes
            if not self._samples or now - self._samples[-1][0] >= SAMPLE_S:
                self._samples.append((now, self._fetched_bytes))
            while now - self._samples[0][0] > WINDOW_S:
                self._samples.popleft()

    def found(self, num_bytes: int) -> None:
        """So many were there already; negative when they turn out to be worth nothing."""
        with self._lock:
            self._done_bytes += num_bytes
