"""What lies in the models folder: files that can chat, and files that cannot, with the reason.

A LoRA adapter is no model by itself: with each model that it fits it is one, by the name `MODEL+ADAPTER`. Knows no
engines. Reads a file's header once for each state of the file: inode, time and size tell states apart.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from chat.domain.errors import ModelError, ModelNotFound, ModelUnreadable, ModelUnsupported
from chat.engine.adapters import misfit, problem_with, with_adapters
from chat.engine.checksums import note_checksums
from chat.engine.gguf import GgufMetadata, Purpose, read_metadata
from chat.engine.model_files import FileState, ModelFile, ModelInfo, chat_files
from chat.engine.projectors import with_projectors

__all__ = ["FileState", "ModelFile", "ModelFolder", "ModelInfo"]

SUFFIX = ".gguf"

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})", re.ASCII)
_REASONS: dict[Purpose, str] = {
    "embedding": "turns text into vectors and does not chat.",
    "adapter": "is an adapter, to be used with the model it was made for.",
    "projector": "is the part of a model that sees or hears, to be used with that model.",
    "vocabulary": "holds a vocabulary without a model.",
    "part": "is a later part of a split model.",
}


class ModelFolder:
    """Looks into a folder; not into folders within it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[FileState, GgufMetadata | ModelUnreadable] = {}
        self._seen: tuple[FileState, ...] = ()
        self._models: list[ModelInfo] = []

    def scan(self) -> list[ModelInfo]:
        """Everything that looks like a model, by name. An absent folder is empty."""
        states = tuple(sorted(self._states(), key=lambda state: state.path.name.lower()))
        if states != self._seen:
            self._models, self._seen = self._describe_all(states), states
        return list(self._models)

    def _describe_all(self, states: Iterable[FileState]) -> list[ModelInfo]:
        self._read = {state: self._read.get(state) or _read(state.path) for state in states}
        groups: dict[tuple[str, str], list[FileState]] = {}
        for state in states:
            groups.setdefault(_group_of(state.path), []).append(state)
        found = [self._describe(group) for group in groups.values()]
        return with_adapters(with_projectors(found, self._projectors()))

    def find(self, name: str) -> ModelInfo:
        """What stands under this name. Raises: ModelNotFound naming those that can chat."""
        models = self.scan()
        for model in models:
            if model.name == name:
                return model
        raise _not_found(models, name)

    def chat_file(self, name: str) -> ModelFile:
        """A model that can chat, with or without an adapter.

        Raises: ModelNotFound; ModelError telling why it cannot.
        """
        models = self.scan()
        for file in chat_files(models):
            if file.name == name:
                return file
        error = next((model.error for model in models if model.name == name), None)
        raise error or misfit(models, name) or _not_found(models, name)

    def remove(self, name: str) -> None:
        """Delete its files. Raises: ModelNotFound; ModelError when a file cannot be deleted."""
        for state in self.find(name).states:
            try:
                state.path.unlink(missing_ok=True)
            except OSError as exc:
                reason = (exc.strerror or "unknown error").lower()
                hint = "Check who may write to the models folder."
                raise ModelError(f"{state.path.name} cannot be deleted: {reason}.", hint=hint) from exc
        note_checksums(self.path, {})

    def _states(self) -> Iterator[FileState]:
        try:
            entries = list(os.scandir(self.path))
        except OSError:  # absent or closed to us: the system checks tell which
            return
        for entry in entries:
            if entry.name.lower().endswith(SUFFIX) and not entry.name.startswith("."):
                yield _state_of(Path(entry.path))

    def _describe(self, states: list[FileState]) -> ModelInfo:
        path = states[0].path
        name = _group_of(path)[0]
        try:
            metadata = _joined([self._metadata(state) for state in states])
            file = ModelFile(name, path, metadata, tuple(states))
            if metadata.purpose != "chat":
                return _describe_other(file)
            if not metadata.num_vocabulary:
                raise ModelUnreadable(f"{path.name} has no vocabulary.", hint="Choose another model.")
        except ModelError as exc:
            return ModelInfo(name, path, tuple(states), error=exc)
        return ModelInfo(name, path, file.states, file=file)

    def _projectors(self) -> dict[FileState, GgufMetadata]:
        return {
            state: found
            for state, found in self._read.items()
            if isinstance(found, GgufMetadata) and found.purpose == "projector"
        }

    def _metadata(self, state: FileState) -> GgufMetadata:
        found = self._read[state]
        if isinstance(found, ModelUnreadable):
            raise ModelUnreadable(found.message, hint=found.hint) from found
        return found


def _describe_other(file: ModelFile) -> ModelInfo:
    """What does not chat. Whether an adapter is of use is found out beside the models."""
    metadata = file.metadata
    error: ModelError = ModelUnsupported(f"{file.path.name} {_REASONS[metadata.purpose]}")
    if metadata.purpose == "adapter":
        problem = problem_with(metadata)
        adapter = None if problem or len(file.states) > 1 else file
        return ModelInfo(file.name, file.path, file.states, error=problem or error, adapter=adapter)
    is_embedder = metadata.purpose == "embedding" and metadata.num_vocabulary > 0
    return ModelInfo(file.name, file.path, file.states, error=error, embedder=file if is_embedder else None)


def _not_found(models: Iterable[ModelInfo], name: str) -> ModelNotFound:
    known = ", ".join(file.name for file in chat_files(models)) or "none"
    return ModelNotFound(f"There is no model “{name}”.", hint=f"Choose another model. There are: {known}.")


def _state_of(path: Path) -> FileState:
    try:
        status = path.stat()
    except OSError:  # a broken link, or gone since the folder was read; reading it will say so
        return FileState(path, 0, 0, 0)
    return FileState(path, status.st_ino, status.st_mtime_ns, status.st_size)


def _read(path: Path) -> GgufMetadata | ModelUnreadable:
    try:
        return read_metadata(path)
    except ModelUnreadable as exc:
        return exc


def _group_of(path: Path) -> tuple[str, str]:
    """The model's name and the number of files it claims; files of one split model have both in common."""
    part = _PART.fullmatch(path.stem)
    return (part["stem"], part["count"]) if part else (path.stem, path.suffix)


def _joined(parts: Sequence[GgufMetadata]) -> GgufMetadata:
    """A split model as if it were one file."""
    first = parts[0]
    if len(parts) == 1 and first.num_parts == 1:
        return first
    numbers = [int(part["number"]) for metadata in parts if (part := _PART.fullmatch(metadata.path.stem))]
    missing = set(range(1, first.num_parts + 1)).symmetric_difference(numbers)
    if missing:
        raise ModelUnreadable(
            f"{first.path.name} is one of {first.num_parts} files of a model: number {min(missing)} is missing.",
            hint="Put all files of the model into the folder, under the names they had.",
        )
    return replace(
        first,
        size_bytes=sum(metadata.size_bytes for metadata in parts),
        num_parameters=sum(metadata.num_parameters for metadata in parts),
        shapes={name: shape for metadata in parts for name, shape in metadata.shapes.items()},
    )
