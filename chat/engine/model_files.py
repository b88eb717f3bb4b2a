"""Model files as everything else knows them: their names, their states, what they are for. Knows no folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chat.domain.errors import ModelError
from chat.domain.params import AdapterFile
from chat.engine.gguf import GgufMetadata

STARTER = "starter"


@dataclass(frozen=True, slots=True)
class FileState:
    """Tells whether a file is still the same."""

    path: Path
    inode: int
    modified_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that can be used. `path` is its first file; a split model has more than one state.

    With an `adapter` it is the `base` with changed weights; the adapter's state comes last. With a `projector`, whose
    state is among them too, it sees.
    """

    name: str
    path: Path
    metadata: GgufMetadata
    states: tuple[FileState, ...]
    base: ModelFile | None = None
    adapter: AdapterFile | None = None
    projector: Path | None = None

    @property
    def plain(self) -> ModelFile:
        """The model without its adapter: this is what is loaded, once for all adapters."""
        return self.base or self


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One entry of the folder: either `file`, or the `error` that keeps it from chatting.

    What turns text into vectors is an `embedder`, what changes another model's weights an `adapter`, what another model
    sees with a `projector`; its `error` is for whoever wants to chat with it alone. `adapted` are the models that a
    model is with the adapters that fit it. A split model has more than one state.
    """

    name: str
    path: Path
    states: tuple[FileState, ...]
    file: ModelFile | None = None
    error: ModelError | None = None
    embedder: ModelFile | None = None
    adapter: ModelFile | None = None
    projector: ModelFile | None = None
    adapted: tuple[ModelFile, ...] = ()

    @property
    def usable(self) -> ModelFile | None:
        """What chats, makes vectors, or is an adapter or a projector that fits one of the models."""
        return self.file or self.embedder or self.adapter or self.projector

    @property
    def chats(self) -> tuple[ModelFile, ...]:
        """All that can be chatted with: the model, then the same with each adapter."""
        return (self.file, *self.adapted) if self.file else ()

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(state.size_bytes for state in self.states)


def chat_files(models: Iterable[ModelInfo]) -> list[ModelFile]:
    """All that can be chatted with, by name; the starter model comes last."""
    ordered = sorted(models, key=lambda model: model.name == STARTER)
    return [file for model in ordered for file in model.chats]
