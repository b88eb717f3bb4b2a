"""ModelRegistry: the models of a folder by name, and the engines that run them.

Knows neither how an engine is started nor what it costs: it is given a function that starts one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from chat.domain.errors import Conflict, EngineFailed, ModelError, ModelNotFound
from chat.domain.params import GenerationRequest
from chat.engine.embedder import Embedder, LoadableEmbedder
from chat.engine.embedder_table import EmbedderTable
from chat.engine.model_folder import ModelFile, ModelFolder, ModelInfo
from chat.engine.pieces import Engine, EngineState, EngineStatus, Generation
from chat.engine.prompt_trace import PromptSpan

__all__ = ["ModelFile", "ModelInfo", "ModelRegistry"]

STARTER = "starter"


@dataclass(slots=True)
class _Loaded:
    file: ModelFile
    engine: Engine

    @property
    def is_idle(self) -> bool:
        status = self.engine.status()
        return not status.num_running and not status.num_queued


class ModelRegistry:
    """Starts an engine when its model is asked for, and ends the one not used for longest when there are too many.

    All methods may be called from any thread. Files may come, go and change while it runs.
    """

    def __init__(
        self,
        models_dir: Path,
        start_engine: Callable[[ModelFile], Engine],
        max_loaded: int = 1,
        default_name: str = "",
        start_embedder: Callable[[ModelFile], LoadableEmbedder] | None = None,
    ) -> None:
        self._folder = ModelFolder(models_dir)
        self._start_engine = start_engine
        self._max_loaded = max_loaded
        self._default_name = default_name
        self._embedders = EmbedderTable(self.embedders, start_embedder)
        self._loaded: dict[str, _Loaded] = {}  # the one not used for longest comes first
        self._outdated: list[_Loaded] = []
        self._is_closed = False
        self._lock = RLock()

    def models(self) -> list[ModelInfo]:
        """Everything in the folder that looks like a model, with what is wrong with it."""
        with self._lock:
            return self._folder.scan()

    def files(self) -> list[ModelFile]:
        """The models that can chat, by name; the starter model comes last."""
        files = [model.file for model in self.models() if model.file is not None]
        return sorted(files, key=lambda file: file.name == STARTER)

    def default(self) -> ModelFile:
        """The configured model, else the first of the user's own, else the starter model.

        Raises: ModelNotFound.
        """
        return self._find(self._default())

    def get(self, name: str) -> Engine:
        """An engine for the model, started when it is not; "" is the default model.

        The engine stays good when the model is unloaded or replaced meanwhile: the next call starts it again.
        Raises: ModelNotFound naming the models there are; ModelError when the file cannot be used.
        """
        with self._lock:
            name = name or self._default()
            self.engine_now(name)
            return _NamedEngine(self, name)

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
            engines = [loaded for loaded in self._engines() if loaded.file.name == name]
            if not all(loaded.is_idle for loaded in engines):
                raise Conflict(f"{name} is writing an answer.")
            for loaded in engines:
                self._end(loaded)

    def remove(self, name: str) -> None:
        """Unload a model and delete its files. Raises: ModelError; Conflict while it is in use."""
        with self._lock:
            self.unload(self._folder.find(name).name)
            self._folder.remove(name)

    def loaded(self) -> dict[str, EngineState]:
        """The models in memory or on the way there, by name; never blocks on a model."""
        states = {loaded.file.name: loaded.engine.status().state for loaded in self._engines()}
        return states | self._embedders.states()

    def status(self) -> list[EngineStatus]:
        """A snapshot of the engines that run; never blocks on a model."""
        return [loaded.engine.status() for loaded in self._engines()]

    def summary(self) -> str:
        """What there is to chat with, in one line for the terminal."""
        models = self.models()
        names = [f"{model.name} ({model.file.metadata.quantization})" for model in models if model.file]
        embedders = [model.name for model in models if model.embedder]
        problems = [model.error.message for model in models if model.error and not model.embedder]
        found = [f"Models: {', '.join(names)}." if names else self._nothing_there().message]
        found += [f"For search: {', '.join(embedders)}."] if embedders else []
        return " ".join([*found, *problems])

    def close(self) -> None:
        """End all engines; the registry gives out no more."""
        with self._lock:
            self._is_closed = True
            for loaded in self._engines():
                loaded.engine.close()
            self._embedders.close()
            self._loaded.clear()
            self._outdated.clear()

    def submit(self, name: str, request: GenerationRequest) -> Generation:
        """`Engine.submit` on the model's engine of this moment, which cannot be unloaded in between."""
        with self._lock:
            return self.engine_now(name).submit(request)

    def engine_now(self, name: str) -> Engine:
        """The model's engine of this moment; a file that is gone or broken since it was loaded does no harm."""
        with self._lock:
            try:
                return self._engine_for(self._find(name))
            except ModelError:
                if name not in self._loaded:
                    raise
                return self._loaded[name].engine

    def _default(self) -> str:
        name = self._default_name or next((file.name for file in self.files()), "")
        if not name:
            raise self._nothing_there()
        return name

    def _find(self, name: str) -> ModelFile:
        model = self._folder.find(name)
        if model.file is None:
            assert model.error is not None
            raise model.error
        return model.file

    def _nothing_there(self) -> ModelNotFound:
        folder = self._folder.path
        return ModelNotFound(
            "There is no model to chat with.",
            hint=f"Put a .gguf file into {folder}, for instance one of Qwen3 or Llama 3.2 in Q8_0.",
        )

    def _check_open(self) -> None:
        if self._is_closed:
            raise EngineFailed("Parley is shutting down.", hint="Try again when it is back.")

    def _engine_for(self, file: ModelFile) -> Engine:
        self._check_open()
        loaded = self._loaded.pop(file.name, None)
        if loaded is not None and loaded.file.states != file.states:
            self._outdated.append(loaded)
            loaded = None
        elif loaded is not None and loaded.engine.status().state == "failed":
            loaded.engine.close()
            loaded = None
        self._end_idle(self._max_loaded - 1)
        self._loaded[file.name] = loaded or _Loaded(file, self._start_engine(file))
        return self._loaded[file.name].engine

    def _engines(self) -> list[_Loaded]:
        return [*self._outdated, *self._loaded.values()]

    def _end_idle(self, num_kept: int) -> None:
        """End idle engines until `num_kept` are left. Busy ones stay: better too much memory than a lost answer."""
        engines = self._engines()
        idle = [loaded for loaded in engines if loaded.is_idle]
        for loaded in idle[: max(len(engines) - num_kept, 0)]:
            self._end(loaded)

    def _end(self, loaded: _Loaded) -> None:
        loaded.engine.close()
        self._outdated = [other for other in self._outdated if other is not loaded]
        self._loaded = {name: other for name, other in self._loaded.items() if other is not loaded}


class _NamedEngine:
    """An `Engine` by the name of its model, whatever engine runs that model at the moment.

    A run holds it through minutes of tool calls; unloading the model meanwhile does it no harm.
    """

    def __init__(self, registry: ModelRegistry, name: str) -> None:
        self._registry = registry
        self._name = name

    def submit(self, request: GenerationRequest) -> Generation:
        return self._registry.submit(self._name, request)

    def count_tokens(self, request: GenerationRequest) -> int:
        return self._registry.engine_now(self._name).count_tokens(request)

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        return self._registry.engine_now(self._name).trace_prompt(request)

    def status(self) -> EngineStatus:
        return self._registry.engine_now(self._name).status()

    def close(self) -> None:
        """The registry ends engines; who borrowed one does not."""
