"""Engines on a tiny model of random weights; tests need no Django here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from chat.engine.memory import ModelMemory
from chat.engine.process import EngineProcess
from chat.engine.registry import ModelRegistry
from tests.engine.registries import CONFIG, MODEL_BYTES, OpenRegistry, Starter
from tests.engine.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It writes printable nonsense and never ends by itself."""
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf", context_tokens=2048)


@pytest.fixture(scope="session")
def short_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A context of 256 tokens."""
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "short.gguf", context_tokens=256)


@pytest.fixture(scope="session")
def shared_engine(tiny: Path) -> Iterator[LlamaEngine]:
    """For tests that do not care what the engine did before."""
    engine = LlamaEngine(tiny, EngineConfig())
    yield engine
    engine.close()


StartEngine = Callable[..., LlamaEngine]
StartProcess = Callable[..., EngineProcess]


@pytest.fixture
def start_engine(tiny: Path) -> Iterator[StartEngine]:
    """Start engines with settings of one's own; they end with the test."""
    engines: list[LlamaEngine] = []

    def start(path: Path = tiny, **settings: Any) -> LlamaEngine:
        engines.append(LlamaEngine(path, EngineConfig(**settings)))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


@pytest.fixture
def start_process(tiny: Path) -> Iterator[StartProcess]:
    """The same in a process of its own."""
    engines: list[EngineProcess] = []

    def start(path: Path = tiny, **settings: Any) -> EngineProcess:
        engines.append(EngineProcess(path, EngineConfig(**settings)))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder."""
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def starter() -> Starter:
    """What starts the engines of `open_registry`."""
    return Starter()


@pytest.fixture
def open_registry(folder: Path, starter: Starter) -> Iterator[OpenRegistry]:
    """Open registries on `folder` with memory for so many tiny models; they end with the test."""
    registries: list[ModelRegistry] = []

    def build(num_models: int = 1, default_name: str = "") -> ModelRegistry:
        memory = ModelMemory(num_models * MODEL_BYTES, CONFIG)
        registries.append(ModelRegistry(folder, starter, memory, default_name))
        return registries[-1]

    yield build
    for registry in registries:
        registry.close()
