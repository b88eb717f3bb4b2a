"""The child that runs a tool's functions: `python -m chat.tools.worker_main`.

A request and its reply are each a line of JSON, on what were standard input and output. Standard library only, no
Django: it must start fast, and it knows nothing of the server that a function could leak.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from chat.domain.errors import ToolFailed
from chat.tools.output import bounded

MAX_MEMORY_BYTES = 512 * 1024 * 1024
MAX_OPEN_FILES = 64
MAX_TRACE_CHARS = 4000

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def main() -> None:
    """Serve until the parent closes the line or dies."""
    _die_with_parent()
    _set_limits()
    requests, replies = _take_lines()
    for line in requests:
        replies.write(json.dumps(_reply(**json.loads(line))).encode() + b"\n")
        replies.flush()
    os._exit(0)  # whatever threads a function left behind


def _reply(function: str, arguments: dict[str, Any]) -> dict[str, str]:
    """The outcome: "done" or "refused" with words for the model, "exhausted", "failed" with words for the log."""
    try:
        result = _load(function)(**arguments)
        if not isinstance(result, str):
            raise TypeError(f"A tool gives text, not {type(result).__name__}.")
        return {"outcome": "done", "text": bounded(result)}
    except ToolFailed as exc:
        return {"outcome": "refused", "text": bounded(exc.message)}
    except MemoryError:
        return {"outcome": "exhausted", "text": ""}
    except Exception:  # noqa: BLE001 - the border of the tool: the parent logs it
        return {"outcome": "failed", "text": traceback.format_exc()[-MAX_TRACE_CHARS:]}


def _load(dotted: str) -> Callable[..., object]:
    module, _, name = dotted.rpartition(".")
    function: Callable[..., object] = getattr(importlib.import_module(module), name)
    return function


def _take_lines() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for the parent alone; what a function prints goes nowhere."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    return requests, replies


def _set_limits() -> None:
    """Memory is bounded, no file is written, and no core of what the function was given is left behind."""
    for kind, limit in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def _die_with_parent() -> None:
    """Linux ends this process with the thread that began it, also after kill -9; elsewhere the line's end does."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_NAME, b"parley-tool")


if __name__ == "__main__":
    main()
