"""The child of `EngineProcess`: `python -m chat.engine.worker`, with its end of the channel as standard input.

Standard library, numpy, msgpack and llama.cpp; no Django. The main thread takes commands, the engine's thread computes.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import sys

from chat.domain.errors import ChatError
from chat.engine.engine import LlamaEngine
from chat.engine.generation import Job, Update
from chat.engine.wire import CancelJob, Channel, Counted, CountTokens, Loaded, LoadFailed, LoadModel, Stepped

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def main() -> None:
    """Serve until the parent closes the channel."""
    faulthandler.enable()
    _die_with_parent()
    # Ctrl-C and a service manager's SIGTERM reach the whole group: the parent decides when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Worker(_take_channel()).serve()
    # Nothing is worth the time of an orderly end: the parent waits at most two seconds.
    os._exit(0)


class Worker:
    """Carries commands from the channel to the engine, and what the engine did back."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        command = channel.receive()
        if not isinstance(command, LoadModel):
            sys.exit("The channel closed before it named a model.")
        self._engine = LlamaEngine(command.path, command.config, deliver=self._send_updates)

    def serve(self) -> None:
        """Load, then obey until the channel ends."""
        try:
            self._channel.send(Loaded(self._engine.wait_until_loaded()))
        except ChatError as error:
            self._channel.send(LoadFailed(error))
            return
        while (command := self._channel.receive()) is not None:
            self._obey(command)

    def _obey(self, command: object) -> None:
        match command:
            case Job():
                self._engine.enqueue(command)
            case CancelJob():
                self._engine.cancel(command.job_id)
            case CountTokens():
                self._channel.send(self._count(command))

    def _count(self, command: CountTokens) -> Counted:
        try:
            return Counted(command.call_id, self._engine.count_tokens(command.request))
        except ChatError as error:
            return Counted(command.call_id, error)

    def _send_updates(self, updates: list[Update]) -> None:
        status = self._engine.status()
        try:
            self._channel.send(Stepped(tuple(updates), status.num_running, status.num_queued))
        except OSError:
            os._exit(0)  # the parent is gone


def _take_channel() -> Channel:
    """Standard input becomes the channel; prints of any library go to standard error."""
    stream = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return Channel(stream)


def _die_with_parent() -> None:
    """Linux ends this process with the thread that began it, also after kill -9; elsewhere the channel's end does."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_NAME, b"parley-engine")


if __name__ == "__main__":
    main()
