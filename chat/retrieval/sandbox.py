"""What the child that reads files may do: little, and not for long. Nothing that is read can widen it again."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

# Below answers that are being written; at 19 a busy machine would give it 1.5 % of a core.
NICENESS = 10
MAX_OUTPUT_BYTES = 32 * 2**20
MAX_OPEN_FILES = 64

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.system",
    "os.kill",
    "ctypes.",
)
_FORBIDDEN_FILES = {
    f"os.{verb}" for verb in "remove rename link symlink mkdir rmdir chmod chown truncate".split()
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may cost. `wall_s` is for a child that waits for something: work is bound by `cpu_s`."""

    cpu_s: int = 20
    wall_s: int = 120
    memory_bytes: int = 512 * 2**20


def confine(limits: Limits) -> None:
    """Bind this process for good: memory, processor, output; no network, no other programs, no writing."""
    os.nice(NICENESS)
    libc = ctypes.CDLL(None)
    if sys.platform == "linux":
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Where the kernel allows it, not even a hole in a parser reaches the network.
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    for what, bound in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, MAX_OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (bound, bound))
    # SIGXCPU first, which tells why; SIGKILL for one who ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Python asks before it does any of these. A hook cannot be taken away again."""
    if event.startswith(_FORBIDDEN) or event in _FORBIDDEN_FILES:
        raise PermissionError(f"{event} is not for the reader of files")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        raise PermissionError("the reader of files writes none")
