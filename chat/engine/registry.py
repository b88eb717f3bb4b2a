"""ModelRegistry: the models of a folder by name, and the engines that run them.

Knows neither how an engine is started nor what it costs: it is given a function that starts one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from chat.domain.errors import EngineFailed, ModelError, ModelNotFound
from chat.domain.params import GenerationRequest
from chat.engine.embedder import Embedder
from chat.engine.model_folder import ModelFile, ModelFolder, ModelInfo
from chat.engine.pieces import Engine, EngineStatus, Generation

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
        start_embedder: Callable[[ModelFile], Embedder] | None = None,
    ) -> None:
        self._folder = ModelFolder(models_dir)
        self._start_engine = start_engine
        self._max_loaded = max_loaded
        self._default_name = default_name
        self._start_embedder = start_embedder
        self._embedders: dict[str, tuple[ModelFile, Embedder]] = {}
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
        """The embedder of this name, started when it is not; "" is the first there is.

        Raises: ModelNotFound naming those there are.
        """
        with self._lock:
            files = {file.name: file for file in self.embedders()}
            file = files.get(name or next(iter(files), ""))
            if file is None or self._start_embedder is None:
                raise _no_embedder(name, files)
            return self._embedder_for(file, self._start_embedder)

    def status(self) -> list[EngineStatus]:
        """A snapshot of the engines that run; never blocks on a model."""
        return [loaded.engine.status() for loaded in [*self._loaded.values(), *self._outdated]]

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
            for loaded in [*self._loaded.values(), *self._outdated]:
                loaded.engine.close()
            for _, embedder in self._embedders.values():
                embedder.close()
            self._loaded.clear()
            self._outdated.clear()
            self._embedders.clear()

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
        models = {model.name: model for model in self.models()}
        if name not in models:
            known = ", ".join(name for name, model in models.items() if model.file) or "none"
            raise ModelNotFound(
                f"There is no model “{name}”.", hint=f"Choose another model. There are: {known}."
            )
        model = models[name]
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

    def _embedder_for(self, file: ModelFile, start: Callable[[ModelFile], Embedder]) -> Embedder:
        self._check_open()
        known, embedder = self._embedders.get(file.name, (None, None))
        if embedder is not None and known is not None and known.states == file.states:
            return embedder
        if embedder is not None:
            embedder.close()
        self._embedders[file.name] = (file, start(file))
        return self._embedders[file.name][1]

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

    def _end_idle(self, num_kept: int) -> None:
        """End idle engines until `num_kept` are left. Busy ones stay: better too much memory than a lost answer."""
        engines = [*self._outdated, *self._loaded.values()]
        idle = [loaded for loaded in engines if loaded.is_idle]
        for loaded in idle[: max(len(engines) - num_kept, 0)]:
            loaded.engine.close()
            self._outdated = [other for other in self._outdated if other is not loaded]
            self._loaded = {name: other for name, other in self._loaded.items() if other is not loaded}


def _no_embedder(name: str, known: Iterable[str]) -> ModelNotFound:
    there_are = ", ".join(known)
    return ModelNotFound(
        f"There is no embedding model “{name}”." if name else "There is no embedding model.",
        hint=f"Choose another. There are: {there_are}."
        if there_are
        else "Put a .gguf file of one into the models folder, for instance nomic-embed-text.",
    )


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

    def status(self) -> EngineStatus:
        return self._registry.engine_now(self._name).status()

    def close(self) -> None:
        """The registry ends engines; who borrowed one does not."""
