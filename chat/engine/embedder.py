"""Turns texts into vectors, in a process of its own that is started when needed and again when it dies.

Knows no llama.cpp: that is in the child (`llama_embedder`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chat.domain.errors import ChatError, EngineFailed
from chat.engine.child import EngineChild
from chat.engine.config import EngineConfig
from chat.engine.pieces import EngineState
from chat.engine.restarts import RestartPolicy
from chat.engine.wire import Embedded, EmbedderLoaded, EmbedTexts, LoadEmbedder, LoadFailed

logger = logging.getLogger(__name__)

LOAD_TIMEOUT_S = 300.0
CLOSE_TIMEOUT_S = 1.8
# One message: short enough for others to come in between, and for the watchdog.
MAX_TEXTS_PER_CALL = 16
MAX_CHARS_PER_CALL = 16_384
MAX_TRIES = 2

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """One embedding model. Any thread may call."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def dim(self) -> int:
        """Length of its vectors; blocks until the model is loaded. Raises: ChatError."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector of unit length for each text: float32, shape (n_texts, dim). Blocks.

        Raises: ContextOverflow with the counts when a text is too long; InvalidInput for one without a word; ModelError
        when the model cannot be loaded; EngineFailed.
        """

    def close(self) -> None:
        """End it; waiting calls fail."""


class LoadableEmbedder(Embedder, Protocol):
    """One that can be brought into memory before its first text."""

    @property
    def state(self) -> EngineState:
        """A snapshot; never blocks. "stopped" before it was first asked for."""

    def load(self) -> None:
        """Begin to load the model; never blocks. What goes wrong is logged, and told to the next call."""


class EmbedderProcess:
    """A `LoadableEmbedder` in a supervised child. One thread of ours talks to the child, one call after the other."""

    def __init__(self, path: Path, config: EngineConfig) -> None:
        self.model = path.stem
        self._path = path
        self._config = config
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._child: EngineChild | None = None
        self._state: EngineState = "stopped"
        self._dim = 0
        self._lock = threading.Lock()
        self._is_closed = False
        # Linux ends a child with the thread that began it: this one lives as long.
        self._thread = threading.Thread(target=self._serve, name=f"embedder {path.name}", daemon=True)
        self._thread.start()

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        if not self._dim:
            self._call(())
        return self._dim

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is no child."""
        child = self._child
        return child.pid if child else None

    @property
    def state(self) -> EngineState:
        """See `LoadableEmbedder.state`."""
        return self._state

    def load(self) -> None:
        """See `LoadableEmbedder.load`."""
        if self._state in ("stopped", "failed"):
            self._state = "loading"
        self._put(()).answer.add_done_callback(self._note_failure)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        parts = [self._call(part) for part in _parts(texts)]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), dtype=np.float32)

    def close(self) -> None:
        """See `Embedder.close`."""
        with self._lock:
            self._is_closed = True
            self._calls.put(None)
            child = self._child
        if child:
            child.kill()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _call(self, texts: tuple[str, ...]) -> Vectors:
        return self._put(texts).answer.result()

    def _put(self, texts: tuple[str, ...]) -> _Call:
        call = _Call(texts)
        with self._lock:
            if self._is_closed:
                raise _closed()
            self._calls.put(call)
        return call

    def _note_failure(self, answer: Future[Vectors]) -> None:
        if error := answer.exception():
            logger.warning("%s is not loaded: %s", self._path.name, error)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call.answer.set_result(self._compute(call.texts))
            except ChatError as error:
                call.answer.set_exception(error)
            except Exception as error:  # the border of the engine: no caller may hang
                logger.exception("The embedder failed.")
                call.answer.set_exception(EngineFailed(f"The texts cannot be embedded: {error}"))
        self._end_child()
        while not self._calls.empty():
            if (call := self._calls.get()) is not None:
                call.answer.set_exception(_closed())

    def _compute(self, texts: tuple[str, ...]) -> Vectors:
        for _ in range(MAX_TRIES):
            child = self._child or self._start()
            if not texts:
                return np.empty((0, self._dim), dtype=np.float32)
            child.send(EmbedTexts(texts))
            try:
                report = child.receive(self._config.watchdog_s)
            except TimeoutError:
                logger.error("The embedder %s hangs: it is ended.", self._path.name)
                report = None
            if isinstance(report, Embedded):
                return self._vectors(report, len(texts))
            self._end_child()
            self._check_open()
            logger.error("The embedder %s died.", self._path.name)
        raise EngineFailed("The embedding model crashed twice on a text.")

    def _vectors(self, report: Embedded, num_texts: int) -> Vectors:
        if isinstance(report.result, ChatError):
            raise report.result
        return np.frombuffer(report.result, dtype="<f4").reshape(num_texts, self._dim).astype(np.float32)

    def _start(self) -> EngineChild:
        """A child that has loaded the model. Raises: ChatError."""
        try:
            self._dim = self._load_patiently().dim
        except ChatError:
            self._state = "failed"
            raise
        assert self._child is not None, "what was loaded is there"
        self._state = "ready"
        return self._child

    def _load_patiently(self) -> EmbedderLoaded:
        """Raises: ChatError."""
        restarts = RestartPolicy(self._path.name)
        while True:
            if report := self._load(use_extra_bufts=False if restarts.must_avoid_extra_bufts else None):
                return report
            exit_status = self._end_child()
            self._check_open()
            if error := restarts.record_load_crash(exit_status):
                raise error
            time.sleep(restarts.delay_s)

    def _load(self, *, use_extra_bufts: bool | None) -> EmbedderLoaded | None:
        """None when the child died. Raises: ChatError when the model cannot be used."""
        with self._lock:
            self._check_open()
            child = self._child = EngineChild(self._path.name)
        self._state = "loading"
        chosen = self._config.use_extra_bufts if use_extra_bufts is None else use_extra_bufts
        child.send(LoadEmbedder(self._path, replace(self._config, use_extra_bufts=chosen)))
        try:
            report = child.receive(LOAD_TIMEOUT_S)
        except TimeoutError:
            return None
        if isinstance(report, LoadFailed):
            self._end_child()
            raise report.error
        return report if isinstance(report, EmbedderLoaded) else None

    def _end_child(self) -> int:
        child, self._child = self._child, None
        self._state = "stopped"
        return child.end() if child else 0

    def _check_open(self) -> None:
        if self._is_closed:
            raise _closed()


class _Call:
    """Texts on their way to the child."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts
        self.answer: Future[Vectors] = Future()


def _closed() -> EngineFailed:
    return EngineFailed("The embedder is closed.")


def _parts(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    part: list[str] = []
    num_chars = 0
    for text in texts:
        if part and (len(part) == MAX_TEXTS_PER_CALL or num_chars + len(text) > MAX_CHARS_PER_CALL):
            yield tuple(part)
            part, num_chars = [], 0
        part.append(text)
        num_chars += len(text)
    if part:
        yield tuple(part)
