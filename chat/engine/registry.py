"""ModelRegistry: the models of a folder by name, and the engines that run them.

Knows neither how an engine is started nor what it costs: it is given a function that starts one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from chat.domain.errors import Conflict, EngineFailed, ModelError, ModelNotFound
from chat.domain.params import AdapterFile, GenerationRequest
from chat.engine.config import EngineConfig
from chat.engine.embedder import Embedder, LoadableEmbedder
from chat.engine.embedder_table import EmbedderTable
from chat.engine.memory import MemoryNeed, ModelMemory, machine_memory, models_share
from chat.engine.memory_budget import MemoryBudget, Resident
from chat.engine.model_files import ModelFile, ModelInfo, chat_files
from chat.engine.model_folder import ModelFolder
from chat.engine.named_engine import NamedEngine
from chat.engine.pieces import Engine, EngineState, EngineStatus, Generation

__all__ = ["ModelFile", "ModelInfo", "ModelRegistry"]

# Gives an engine at once, which loads its model when the event is set.
StartEngine = Callable[[ModelFile, Event], Engine]


@dataclass(slots=True)
class _Loaded:
    """One engine serves a model and all its adapters."""

    file: ModelFile
    engine: Engine
    resident: Resident
    adapters: set[AdapterFile] = field(default_factory=set)


class ModelRegistry:
    """Starts an engine when its model is asked for; idle ones that were not used for longest make room for it.

    All methods may be called from any thread. Files may come, go and change while it runs. Without `memory` models may
    take the usual share of the machine's.
    """

    def __init__(
        self,
        models_dir: Path,
        start_engine: StartEngine,
        memory: ModelMemory | None = None,
        default_name: str = "",
        start_embedder: Callable[[ModelFile], LoadableEmbedder] | None = None,
    ) -> None:
        self._folder = ModelFolder(models_dir)
        self._start_engine = start_engine
        self._memory = memory or ModelMemory(models_share(machine_memory()), EngineConfig())
        self._budget = MemoryBudget(self._memory.limit_bytes)
        self._lock = self._budget.lock
        self._default_name = default_name
        self._embedders = EmbedderTable(self.embedders, start_embedder, self._memory, self._budget)
        self._loaded: list[_Loaded] = []
        self._is_closed = False

    def models(self) -> list[ModelInfo]:
        """Everything in the folder that looks like a model, with what is wrong with it."""
        with self._lock:
            return self._folder.scan()

    def files(self) -> list[ModelFile]:
        """The models that can chat, each also with the adapters that fit it, by name; the starter model comes last."""
        return chat_files(self.models())

    def file(self, name: str) -> ModelFile:
        """One of them. Raises: ModelNotFound naming those there are; ModelError telling why it cannot chat."""
        with self._lock:
            return self._folder.chat_file(name)

    def need_of(self, file: ModelFile) -> MemoryNeed:
        """How much memory it takes, by estimate; a projector counts as weights."""
        need = self._memory.need_of(file.metadata)
        return replace(need, weights_bytes=sum(state.size_bytes for state in file.plain.states))

    @property
    def memory_limit_bytes(self) -> int:
        """What all models together may take."""
        return self._budget.limit_bytes

    @property
    def memory_used_bytes(self) -> int:
        """What those in memory take, by estimate."""
        return self._budget.used_bytes

    def default(self) -> ModelFile:
        """The configured model, else the first of the user's own, else the starter model.

        Raises: ModelNotFound.
        """
        return self.file(self._default())

    def get(self, name: str) -> Engine:
        """An engine for the model, started when it is not; "" is the default model.

        The engine stays good when the model is unloaded or replaced meanwhile: the next call starts it again.
        Raises: ModelNotFound naming the models there are; ModelError when the file cannot be used.
        """
        with self._lock:
            name = name or self._default()
            self.engine_now(name)
            return NamedEngine(self, name)

    def embedders(self) -> list[ModelFile]:
        """The models that turn text into vectors, by name."""
        return [model.embedder for model in self.models() if model.embedder is not None]

    def embedder(self, name: str = "") -> Embedder:
        """See `EmbedderTable.get`."""
        return self._embedders.get(name)

    def load(self, name: str) -> None:
        """Begin to bring a model into memory; does nothing for one that is there. Raises: ModelError."""
        if not self._embedders.load(name):
            self.get(name)

    def unload(self, name: str) -> None:
        """Take a model out of memory; the next question brings it back. Raises: Conflict while it is in use."""
        with self._lock:
            self._embedders.unload(name)
            found = [loaded for loaded in self._live() if loaded.file.name == name]
            if not all(loaded.resident.is_idle() for loaded in found):
                raise Conflict(f"{name} is writing an answer.")
            for loaded in found:
                self._budget.end(loaded.resident)

    def remove(self, name: str) -> None:
        """Unload a model and delete its files. Raises: ModelError; Conflict while it is in use."""
        with self._lock:
            self.unload(self._folder.find(name).name)
            self._folder.remove(name)

    def loaded(self) -> dict[str, EngineState]:
        """The models in memory or on the way there, by name without an adapter; never blocks on a model."""
        states = {loaded.file.name: loaded.engine.status().state for loaded in self._live()}
        return states | self._embedders.states()

    def is_ready(self, name: str) -> bool:
        """Whether a model of `files` is in memory, so that it can be asked without loading anything."""
        name = next((file.plain.name for file in self.files() if file.name == name), name)
        return self.loaded().get(name) == "ready"

    def status(self) -> list[EngineStatus]:
        """A snapshot of the engines that run; never blocks on a model."""
        return [replace(loaded.engine.status(), model=loaded.file.name) for loaded in self._live()]

    def summary(self) -> str:
        """What there is to chat with, in one line for the terminal."""
        models = self.models()
        names = [f"{model.name} ({model.file.metadata.quantization})" for model in models if model.file]
        names += [file.name for model in models for file in model.adapted]
        embedders = [model.name for model in models if model.embedder]
        problems = [model.error.message for model in models if model.error and not model.usable]
        found = [f"Models: {', '.join(names)}." if names else self._nothing_there().message]
        found += [f"For search: {', '.join(embedders)}."] if embedders else []
        return " ".join([*found, *problems])

    def close(self) -> None:
        """End all engines; the registry gives out no more."""
        with self._lock:
            self._is_closed = True
            self._budget.close()
            self._embedders.close()
            self._loaded.clear()

    def submit(self, name: str, request: GenerationRequest) -> Generation:
        """`Engine.submit` on the model's engine of this moment, which cannot be unloaded in between."""
        with self._lock:
            engine = self.engine_now(name)
            return engine.submit(replace(request, adapter=self._adapter_of(name)))

    def engine_now(self, name: str) -> Engine:
        """The model's engine of this moment; a file that is gone or broken since it was loaded does no harm."""
        with self._lock:
            self._check_open()
            try:
                return self._engine_for(self.file(name).plain).engine
            except ModelError:
                if loaded := self._current(name):
                    return loaded.engine
                raise

    def _default(self) -> str:
        name = self._default_name or next((file.name for file in self.files()), "")
        if not name:
            raise self._nothing_there()
        return name

    def _nothing_there(self) -> ModelNotFound:
        folder = self._folder.path
        return ModelNotFound(
            "There is no model to chat with.",
            hint=f"Put a .gguf file into {folder}, for instance one of Qwen3 or Llama 3.2 in Q8_0.",
        )

    def _check_open(self) -> None:
        if self._is_closed:
            raise EngineFailed("Parley is shutting down.", hint="Try again when it is back.")

    def _engine_for(self, file: ModelFile) -> _Loaded:
        loaded = self._current(file.name)
        if loaded and loaded.file.states != file.states:
            self._budget.retire(loaded.resident)
        elif loaded and loaded.engine.status().state == "failed":
            self._budget.end(loaded.resident)
        elif loaded:
            self._budget.touch(loaded.resident)
            return loaded
        return self._start(file)

    def _start(self, file: ModelFile) -> _Loaded:
        """Raises: OutOfMemory, before anything is begun or ended, for a model that would not even fit alone."""
        need = self.need_of(file)
        self._memory.check(file.name, need)
        room = Event()
        engine = self._start_engine(file, room)
        resident = Resident(need.total_bytes, lambda: _is_idle(engine), room.set, engine.close)
        loaded = _Loaded(file, engine, resident)
        self._loaded = [*self._live(), loaded]
        self._budget.let_in(resident)
        return loaded

    def _adapter_of(self, name: str) -> AdapterFile | None:
        """What the name says beside the model; from now on its weights count as well."""
        file = next((file for file in self.files() if file.name == name), None)
        if file is None or file.adapter is None:
            return None
        loaded = self._current(file.plain.name)
        if loaded and file.adapter not in loaded.adapters:
            loaded.adapters.add(file.adapter)
            loaded.resident.need_bytes += file.states[-1].size_bytes
        return file.adapter

    def _current(self, name: str) -> _Loaded | None:
        """The engine that gets the questions to this model."""
        found = (each for each in self._live() if each.file.name == name and not each.resident.is_leaving)
        return next(found, None)

    def _live(self) -> list[_Loaded]:
        return [loaded for loaded in self._loaded if not loaded.resident.is_over]


def _is_idle(engine: Engine) -> bool:
    status = engine.status()
    return not status.num_running and not status.num_queued
