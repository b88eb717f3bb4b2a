"""Engines that live as long as the test session: to begin one takes 0.8 s of processor, and 400 tests need one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from chat.domain.params import GenerationRequest
from chat.engine.config import EngineConfig
from chat.engine.pieces import EngineStatus, Generation
from chat.engine.process import EngineProcess
from chat.engine.prompt_trace import PromptSpan


@dataclass(frozen=True)
class Kind:
    """What two engines must have in common to be the same to a test."""

    path: Path
    modified_ns: int
    config: EngineConfig


class KeptEngines:
    """Lends an engine for each model of a folder and its settings; `EngineProcess` to the runtime.

    One that a test has spoilt, or that still writes, is ended. Models of other folders get engines of their own.
    """

    def __init__(self, models_dir: Path, cache_dir: Path) -> None:
        self._models_dir = models_dir
        self._cache_dir = cache_dir
        self._lock = threading.Lock()
        self._idle: dict[Kind, EngineProcess] = {}

    def lend(
        self, path: Path, config: EngineConfig, room: threading.Event | None = None
    ) -> EngineProcess | LentEngine:
        """As `EngineProcess(path, config, room)`."""
        if path.parent != self._models_dir:
            return EngineProcess(path, config, room)
        kind = Kind(path, path.stat().st_mtime_ns, replace(config, cache_dir=self._cache_dir))
        with self._lock:
            engine = self._idle.pop(kind, None)
        return LentEngine(self, kind, engine or EngineProcess(path, kind.config, room))

    def take_back(self, kind: Kind, engine: EngineProcess) -> None:
        """Keep it for the next test, if there is nothing wrong with it."""
        is_good = _is_as_new(engine)
        with self._lock:
            if is_good and kind not in self._idle:
                self._idle[kind] = engine
                return
        engine.close()

    def close(self) -> None:
        """End all."""
        while self._idle:
            self._idle.popitem()[1].close()


class LentEngine:
    """One engine for one runtime: `close` gives it back."""

    def __init__(self, owner: KeptEngines, kind: Kind, engine: EngineProcess) -> None:
        self._owner = owner
        self._kind = kind
        self._engine = engine
        self._is_closed = False

    def submit(self, request: GenerationRequest) -> Generation:
        return self._engine.submit(request)

    def count_tokens(self, request: GenerationRequest) -> int:
        return self._engine.count_tokens(request)

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        return self._engine.trace_prompt(request)

    def status(self) -> EngineStatus:
        status = self._engine.status()
        return replace(status, state="stopped") if self._is_closed else status

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._owner.take_back(self._kind, self._engine)


def _is_as_new(engine: EngineProcess) -> bool:
    """Loaded, never restarted, and idle: what still runs must end as the real `close` ends it."""
    status = engine.status()
    is_idle = not status.num_running and not status.num_queued
    return status.state == "ready" and not status.num_restarts and is_idle
