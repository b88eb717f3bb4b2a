"""The embedding models by name, and those of them that are in memory. Knows not how an embedder is started."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from threading import Event

from chat.domain.errors import Conflict, EngineFailed, ModelNotFound
from chat.engine.embedder import Embedder, LoadableEmbedder, Vectors
from chat.engine.memory import ModelMemory
from chat.engine.memory_budget import MemoryBudget, Resident
from chat.engine.model_files import ModelFile
from chat.engine.pieces import EngineState


@dataclass(slots=True)
class _Loaded:
    file: ModelFile
    embedder: LoadableEmbedder
    need_bytes: InitVar[int]
    num_users: int = 0
    is_wanted: bool = False
    room: Event = field(default_factory=Event)
    resident: Resident = field(init=False)

    def __post_init__(self, need_bytes: int) -> None:
        self.resident = Resident(need_bytes, lambda: not self.num_users, self._begin, self._close)

    @property
    def state(self) -> EngineState:
        return self.embedder.state if self.room.is_set() else "waiting"

    def load(self) -> None:
        """At once, or when there is memory for it."""
        self.is_wanted = True
        if self.room.is_set():
            self.embedder.load()

    def _begin(self) -> None:
        self.room.set()
        if self.is_wanted:
            self.embedder.load()

    def _close(self) -> None:
        self.embedder.close()
        self.room.set()  # whoever waits for memory goes on, and is told


class EmbedderTable:
    """Starts an embedder when it is used. Any thread may call; only `use` waits for memory and for a model.

    `files` tells the embedding models that there are now; without `start` none can be used.
    """

    def __init__(
        self,
        files: Callable[[], list[ModelFile]],
        start: Callable[[ModelFile], LoadableEmbedder] | None,
        memory: ModelMemory,
        budget: MemoryBudget,
    ) -> None:
        self._files = files
        self._start = start
        self._memory = memory
        self._budget = budget
        self._loaded: dict[str, _Loaded] = {}
        self._is_closed = False
        self._lock = budget.lock

    def get(self, name: str = "") -> Embedder:
        """The embedder of this name; "" is the first there is.

        It stays good when the model is unloaded or replaced meanwhile. Raises: ModelNotFound naming those there are.
        """
        self._check_open()
        return _NamedEmbedder(self, self._find(name).name)

    def load(self, name: str) -> bool:
        """Begin to bring it into memory; False when there is none of this name."""
        file = next((file for file in self._files() if file.name == name), None)
        if file is None:
            return False
        with self._lock:
            self._entry(file).load()
        return True

    def states(self) -> dict[str, EngineState]:
        """Those that are in memory or on the way there, by name."""
        entries = list(self._loaded.items())
        return {name: loaded.state for name, loaded in entries if not loaded.resident.is_over}

    def unload(self, name: str) -> None:
        """End it; the next use starts it again. Raises: Conflict while somebody uses it."""
        with self._lock:
            loaded = self._loaded.get(name)
            if loaded is None or loaded.resident.is_over:
                return
            if loaded.num_users:
                hint = "Try again when the documents are indexed."
                raise Conflict(f"{name} is reading texts at the moment.", hint=hint)
            self._budget.end(loaded.resident)

    def close(self) -> None:
        """No more are started; the budget ends those that there are."""
        with self._lock:
            self._is_closed = True
            self._loaded.clear()

    @contextmanager
    def use(self, name: str) -> Iterator[Embedder]:
        """The embedder of this moment, which is not unloaded meanwhile.

        Raises: ModelNotFound; OutOfMemory; EngineFailed.
        """
        file = self._find(name)
        with self._lock:
            loaded = self._entry(file)
            loaded.num_users += 1
        try:
            loaded.room.wait()
            yield loaded.embedder
        finally:
            with self._lock:
                loaded.num_users -= 1

    def _entry(self, file: ModelFile) -> _Loaded:
        self._check_open()
        loaded = self._loaded.get(file.name)
        if loaded is not None and not loaded.resident.is_over:
            if loaded.file.states == file.states:
                self._budget.touch(loaded.resident)
                return loaded
            self._budget.retire(loaded.resident)
        return self._begin(file)

    def _begin(self, file: ModelFile) -> _Loaded:
        need = self._memory.need_of(file.metadata)
        self._memory.check(file.name, need)
        assert self._start is not None, "what was found can be started"
        loaded = self._loaded[file.name] = _Loaded(file, self._start(file), need.total_bytes)
        self._budget.let_in(loaded.resident)
        return loaded

    def _find(self, name: str) -> ModelFile:
        files = {file.name: file for file in self._files()} if self._start else {}
        file = files.get(name or next(iter(files), ""))
        if file is None:
            raise _not_found(name, files)
        return file

    def _check_open(self) -> None:
        if self._is_closed:
            raise EngineFailed("Parley is shutting down.", hint="Try again when it is back.")


class _NamedEmbedder:
    """An `Embedder` by the name of its model, whatever process runs that model at the moment.

    Indexing holds it through many calls; unloading the model between two of them does it no harm.
    """

    def __init__(self, table: EmbedderTable, name: str) -> None:
        self.model = name
        self._table = table

    @property
    def dim(self) -> int:
        with self._table.use(self.model) as embedder:
            return embedder.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        with self._table.use(self.model) as embedder:
            return embedder.embed(texts)

    def close(self) -> None:
        """The table ends embedders; who borrowed one does not."""


def _not_found(name: str, known: Iterable[str]) -> ModelNotFound:
    there_are = ", ".join(known)
    return ModelNotFound(
        f"There is no embedding model “{name}”." if name else "There is no embedding model.",
        hint=f"Choose another. There are: {there_are}."
        if there_are
        else "Get one on the models page, or with: manage.py models pull embedding",
    )
