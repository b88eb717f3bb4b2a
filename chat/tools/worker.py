"""The children that run tools written in Python: a function in a thread could be neither stopped nor bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chat
from chat.domain.errors import ToolFailed
from chat.tools.output import MAX_OUTPUT_BYTES

logger = logging.getLogger(__name__)

MAX_WORKERS = 4
MAX_REPLY_BYTES = 8 * MAX_OUTPUT_BYTES  # JSON writes a character in up to six bytes
_PACKAGE_ROOT = Path(chat.__file__).resolve().parent.parent
# Not the server's secrets, and no proxy.
_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TZ",
)


class WorkerPool:
    """Up to `MAX_WORKERS` children, begun when they are needed and kept. Lives on one event loop."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_WORKERS)
        self._idle: list[_Worker] = []
        self._ending: set[asyncio.Task[int]] = set()

    async def call(self, function: str, arguments: Mapping[str, Any]) -> str:
        """What the function with this dotted path says. A cancelled call ends its child at once.

        Raises: ToolFailed.
        """
        async with self._places:
            worker = await self._take()
            try:
                outcome, text = await worker.ask(function, arguments)
            except BaseException:
                self._discard(worker)
                raise
            if outcome in ("done", "refused"):
                self._idle.append(worker)
            else:
                self._discard(worker)
        return _said(function, outcome, text)

    async def close(self) -> None:
        """End the children; no call may be under way."""
        while self._idle:
            self._discard(self._idle.pop())
        await asyncio.gather(*self._ending)

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
        return await _Worker.start()

    def _discard(self, worker: _Worker) -> None:
        """The end is awaited apart, so that whoever cancelled need not wait for it."""
        task = asyncio.create_task(worker.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _Worker:
    """One child, which does one call at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-B", "-m", "chat.tools.worker_main"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_REPLY_BYTES,
            env=_environment(),
            start_new_session=True,  # Ctrl-C reaches the server alone
        )
        return cls(process)

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, function: str, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """The outcome and its text; see `worker_main`. A child that dies of the call gives the outcome "died"."""
        assert self._process.stdin
        assert self._process.stdout
        request = json.dumps({"function": function, "arguments": dict(arguments)})
        try:
            self._process.stdin.write(request.encode() + b"\n")
            await self._process.stdin.drain()
            reply = json.loads(await self._process.stdout.readline())
            return str(reply["outcome"]), str(reply["text"])
        except (OSError, ValueError, KeyError, TypeError) as exc:
            return "died", str(exc)

    async def end(self) -> int:
        """Kill it with all that it may have begun, and see it go."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return await self._process.wait()


def _said(function: str, outcome: str, text: str) -> str:
    match outcome:
        case "done":
            return text
        case "refused":
            raise ToolFailed(text)
        case "exhausted":
            raise ToolFailed("The tool needed more memory than it may have.")
        case _:
            logger.error("%s %s: %s", function, outcome, text)
            raise ToolFailed("The tool failed.")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
    paths = [str(_PACKAGE_ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}
