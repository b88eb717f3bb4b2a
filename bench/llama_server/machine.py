"""What the machine is and gives: its processor, its load, and how fast it reads memory."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.llama_server.build import PeerBuild, parley_libraries

BUFFER_BYTES = 1 << 30
NUM_READS = 12
REFERENCE_READS = 4

# Printed by a child: loading the library here would start its threads in the process that measures.
SYSTEM_INFO = "import llama_cpp; print(llama_cpp.llama_print_system_info().decode())"


class Memory:
    """A buffer far larger than any cache, read by all cores at once."""

    def __init__(self) -> None:
        """Fills the buffer: untouched pages would all be the same one."""
        num_cores = os.cpu_count() or 1
        self._parts: list[npt.NDArray[np.int64]] = np.array_split(
            np.ones(BUFFER_BYTES // 8, np.int64), num_cores
        )
        self._threads = ThreadPoolExecutor(num_cores)

    def bandwidth(self, num_reads: int = NUM_READS) -> float:
        """Bytes per second, the best of some reads."""
        return BUFFER_BYTES / min(self._read_s() for _ in range(num_reads))

    def reference(self) -> float:
        """A short measurement, to be compared with another one: a machine at rest gives the same."""
        return self.bandwidth(REFERENCE_READS)

    def _read_s(self) -> float:
        started_at = time.monotonic()
        list(self._threads.map(np.bitwise_or.reduce, self._parts))
        return time.monotonic() - started_at


def description(build: PeerBuild, python: Path) -> list[str]:
    """Lines that say what was measured on what."""
    info = subprocess.run([python, "-c", SYSTEM_INFO], capture_output=True, text=True, check=True)
    return [
        f"processor: {_processor()}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}",
        f"llama.cpp: {build.description}; all contestants load {parley_libraries()}",
        f"system info: {info.stdout.strip()}",
    ]


def _processor() -> str:
    try:
        names = re.findall(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
