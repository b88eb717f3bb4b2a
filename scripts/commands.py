"""Running the programs that set-up needs, and turning what they print into one clear line."""

import errno
import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# What pip and cmake print when the cause is the machine and not Parley: (pattern, line for the user).
KNOWN_CAUSES = (
    (r"No space left on device", "the disk is full; set-up needs about 1 GB."),
    (
        r"name resolution|NewConnectionError|NameResolutionError|ConnectTimeout|Network is unreachable"
        r"|ProxyError|ReadTimeout|Read timed out|Connection (refused|reset)|SSLError",
        "the package index cannot be reached; check the network, the proxy and pip's settings.",
    ),
    (r"DO NOT MATCH THE HASHES", "a downloaded package is not the one that the lock file names; try again."),
    (
        r"CUDA::cublas",
        "the CUDA toolkit lacks cuBLAS; install its package libcublas-dev, or the whole toolkit.",
    ),
    (r"Killed signal|cc1plus.*[Kk]illed", "the compiler ran out of memory; it needs about 1 GB."),
)


class SetupError(Exception):
    """Set-up cannot go on; the message is one line for the person at the keyboard."""


def explain(exc: OSError) -> SetupError:
    """Turns an error of the file system into one line."""
    if exc.errno == errno.ENOSPC:
        return SetupError(KNOWN_CAUSES[0][1])
    return SetupError(f"cannot write {exc.filename or 'to the disk'}: {exc.strerror}.")


class CommandRunner:
    """Runs commands with their output in a log file, and ends them all when one of them fails."""

    def __init__(self, log: Path) -> None:
        """Empties the log, which holds one set-up only."""
        log.write_text("")
        self.log = log
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._is_stopping = False

    def run(
        self,
        what: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Runs one command to its end and shows each of its lines to `on_line`.

        Raises: SetupError that says what failed and, where it is known, why.
        """
        lines: list[str] = []
        with self._start(command, env) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if on_line:
                    on_line(line)
        with self._lock:
            self._running.discard(process)
            with self.log.open("a") as log:
                log.write(f"$ {' '.join(map(str, command))}\n{''.join(lines)}")
        if process.returncode:
            raise SetupError(f"{what} failed: {self._cause(''.join(lines))}")

    def stop(self) -> None:
        """Ends every command that still runs; later ones do not start."""
        with self._lock:
            self._is_stopping = True
            for process in self._running:
                process.terminate()

    def _start(self, command: Sequence[str | Path], env: Mapping[str, str] | None) -> subprocess.Popen[str]:
        with self._lock:
            if self._is_stopping:
                raise SetupError("stopped.")
            process = subprocess.Popen(
                command,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._running.add(process)
            return process

    def _cause(self, output: str) -> str:
        for pattern, cause in KNOWN_CAUSES:
            if re.search(pattern, output):
                return cause
        # cmake's reason stands on the lines after "CMake Error at FILE:"
        error = re.search(r"^[^\n]*\berror\b.*?[^:\n]$", output, re.IGNORECASE | re.MULTILINE | re.DOTALL)
        reason = " ".join(error[0].split())[:300] if error else "no reason given"
        return f"{reason} (all of it: {self.log})"
