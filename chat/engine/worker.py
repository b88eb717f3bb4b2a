"""The child of an engine or embedder: `python -m chat.engine.worker`, with its end of the channel as standard input.

Standard library, numpy, msgpack and llama.cpp; no Django. The main thread takes commands, the engine's thread computes.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

from chat.domain.errors import ChatError
from chat.engine.engine import LlamaEngine
from chat.engine.generation import Job, Update
from chat.engine.llama_embedder import LlamaEmbedder
from chat.engine.prompt_trace import PromptSpan
from chat.engine.wire import (
    Answered,
    CancelJob,
    Channel,
    CountTokens,
    Embedded,
    EmbedderLoaded,
    Loaded,
    LoadEmbedder,
    LoadFailed,
    LoadModel,
    Stepped,
    TracePrompt,
)

# A busy neighbour at the same priority makes writing eight times slower; a question still waits for its own vector.
EMBEDDER_NICENESS = 10

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def main() -> None:
    """Serve until the parent closes the channel."""
    faulthandler.enable()
    _die_with_parent()
    # Ctrl-C and a service manager's SIGTERM reach the whole group: the parent decides when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _serve(_take_channel())
    # Nothing is worth the time of an orderly end: the parent waits at most two seconds.
    os._exit(0)


def _serve(channel: Channel) -> None:
    match channel.receive():
        case LoadModel() as command:
            Worker(channel, command).serve()
        case LoadEmbedder() as command:
            EmbedderWorker(channel, command).serve()
        case _:
            sys.exit("The channel closed before it named a model.")


class Worker:
    """Carries commands from the channel to the engine, and what the engine did back."""

    def __init__(self, channel: Channel, command: LoadModel) -> None:
        self._channel = channel
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
                self._answer(command.call_id, partial(self._engine.count_tokens, command.request))
            case TracePrompt():
                self._answer(command.call_id, partial(self._engine.trace_prompt, command.request))

    def _answer(self, call_id: int, ask: Callable[[], int | tuple[PromptSpan, ...]]) -> None:
        try:
            self._channel.send(Answered(call_id, ask()))
        except ChatError as error:
            self._channel.send(Answered(call_id, error))

    def _send_updates(self, updates: list[Update]) -> None:
        status = self._engine.status()
        try:
            self._channel.send(Stepped(tuple(updates), status.num_running, status.num_queued))
        except OSError:
            os._exit(0)  # the parent is gone


class EmbedderWorker:
    """Answers texts with vectors, all on this thread. Gives way to the replies that are being written."""

    def __init__(self, channel: Channel, command: LoadEmbedder) -> None:
        os.nice(EMBEDDER_NICENESS)
        self._channel = channel
        self._command = command

    def serve(self) -> None:
        """Load, then answer until the channel ends."""
        try:
            embedder = LlamaEmbedder(self._command.path, self._command.config)
        except ChatError as error:
            self._channel.send(LoadFailed(error))
            return
        self._channel.send(EmbedderLoaded(embedder.dim, embedder.context_tokens))
        while (command := self._channel.receive()) is not None:
            self._channel.send(self._answer(embedder, command.texts))

    def _answer(self, embedder: LlamaEmbedder, texts: tuple[str, ...]) -> Embedded:
        try:
            return Embedded(embedder.embed(texts).astype("<f4").tobytes())
        except ChatError as error:
            return Embedded(error)


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
