"""What a running server and its engine hold: threads, files, memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the server's process and its engine hold."""

    num_threads: int
    num_files: int
    web_mb: float
    engine_mb: float


def footprint_of(web: int, engine: int) -> Footprint:
    """As it is now."""
    return Footprint(
        num_threads=_num_entries(f"/proc/{web}/task"),
        num_files=_num_entries(f"/proc/{web}/fd"),
        web_mb=_resident_mb(web),
        engine_mb=_resident_mb(engine),
    )


def engine_pid(web: int) -> int | None:
    """The process that computes for the server `web`; None while there is none."""
    for task in Path(f"/proc/{web}/task").glob("*/children"):
        for child in task.read_text().split():
            command = Path(f"/proc/{child}/cmdline")
            if command.exists() and b"chat.engine.worker" in command.read_bytes():
                return int(child)
    return None


def _num_entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
