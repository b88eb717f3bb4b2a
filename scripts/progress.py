"""What set-up tells while it works: step lines with the elapsed time, and one line in place on a terminal."""

import shutil
import sys
import threading
import time
from typing import TextIO


class Progress:
    """Prints from several threads; a report in place on a terminal, rare plain lines anywhere else."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        """Starts the clock; nothing is printed before the first step."""
        self._stream = stream
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._last_fifth = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since set-up began."""
        return time.monotonic() - self._started

    def step(self, text: str) -> None:
        """Reports one finished or begun step on a line that stays."""
        with self._lock:
            self._write(f"{self._clear()}{self._stamp()} {text}\n")

    def percent(self, what: str, done: int, total: int) -> None:
        """Reports how far a long step is: in place on a terminal, else a line for every fifth."""
        share = 100 * done // total
        with self._lock:
            if self._stream.isatty():
                line = f"{self._stamp()} {what}: {share} %"
                self._write(self._clear() + line[: shutil.get_terminal_size().columns - 1])
            elif share // 20 > self._last_fifth:
                self._last_fifth = share // 20
                self._write(f"{self._stamp()} {what}: {share} %\n")

    def _stamp(self) -> str:
        return f"  {self.elapsed_s:5.1f} s "

    def _clear(self) -> str:
        return "\r\x1b[K" if self._stream.isatty() else ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
