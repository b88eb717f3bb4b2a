"""Starts a child that opens a stranger's file: our own interpreter, none of the server's secrets, `sandbox` inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import chat
from chat.retrieval.sandbox import Limits

_PACKAGE_ROOT = Path(chat.__file__).resolve().parent.parent
# It opens files from strangers: it gets no secret of the server's environment.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def start_confined(
    module: str, kind: str, file: BinaryIO, output: Any, limits: Limits
) -> subprocess.Popen[bytes]:
    """`python -m module`, with the file as standard input; it is told the kind of the file and its limits."""
    # The word before the kind changes nothing: it is how `pgrep -f` and `ps` find it.
    words = ["parley-reader", kind, limits.cpu_s, limits.wall_s, limits.memory_bytes]
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", module, *map(str, words)],
        stdin=file.fileno(),
        stdout=output,
        stderr=subprocess.DEVNULL,
        env={**kept, "PYTHONPATH": str(_PACKAGE_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
