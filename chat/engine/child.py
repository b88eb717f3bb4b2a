"""The engine's process as its parent sees it: begin, talk to, end. Knows nothing of what is said."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

import chat
from chat.engine.wire import Channel, Message, pack

CLOSE_TIMEOUT_S = 1.0
_PACKAGE_ROOT = Path(chat.__file__).resolve().parent.parent
# The child opens files from strangers: it gets no secret of the server's environment.
_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "LLAMA_CPP_LIB_PATH",
    "VIRTUAL_ENV",
)
_ENVIRONMENT_PREFIXES = ("CUDA_", "NVIDIA_", "GGML_", "OMP_", "GOMP_", "HIP_", "ROCR_", "PYTHON")


class EngineChild:
    """A running child. `send` never blocks: a thread of its own writes, so that no caller waits for a stuck child."""

    def __init__(self, model_name: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # The last two words change nothing: they are how `pgrep -f` and `ps` find it.
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "chat.engine.worker", "parley-engine", model_name],
                stdin=theirs.fileno(),
                env=_environment(),
            )
        self._channel = Channel(ours)
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        threading.Thread(target=self._write, name=f"engine outbox {self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, message: Message) -> None:
        """Queue a message; it is lost when the child dies.

        Raises: TypeError or ValueError for what has no form on the wire.
        """
        self._outbox.put(pack(message))

    def receive(self, timeout_s: float) -> object:
        """The next message, None when the child is gone. Raises: TimeoutError."""
        return self._channel.receive(timeout_s)

    def end(self) -> int:
        """Close the channel, wait a little, then kill; returns the exit status, negative for a signal."""
        self._outbox.put(None)
        self._channel.close()
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL. Does nothing when it is gone."""
        self._process.kill()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # the child is gone: its reader has noticed as well
            while (packed := self._outbox.get()) is not None:
                self._channel.send_packed(packed)


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_PREFIXES)
    }
    # Without it an abort in llama.cpp starts a debugger to print its stack.
    paths = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "GGML_NO_BACKTRACE": "1"}
