"""Which projector lets a model see: files that people download beside it. Knows names and headers, no library."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chat.domain.errors import ModelUnsupported
from chat.engine.gguf import GgufMetadata
from chat.engine.model_files import FileState, ModelFile, ModelInfo

# How the field names them: mmproj-MODEL.gguf, MODEL-mmproj.gguf, MODEL.mmproj-F16.gguf.
_MARK = re.compile(r"(^mmproj[-_.])|([-_.]mmproj(?=$|[-_.]))", re.IGNORECASE)
_PRECISION = re.compile(r"[-_.](ud[-_.])?(i?q\d\w*|bf16|f?p?16|f?p?32|mxfp4)$", re.IGNORECASE)


def with_projectors(
    models: Sequence[ModelInfo], projectors: Mapping[FileState, GgufMetadata]
) -> list[ModelInfo]:
    """Each model with the projector that it sees with; each projector with the model's name, or that it fits none."""
    eyes = {state: metadata for state, metadata in projectors.items() if metadata.projection_length}
    pairs = _pairs([model.file for model in models if model.file], eyes)
    seeing = {pairs[name].path: name for name in reversed(pairs)}
    known = {state.path: metadata for state, metadata in projectors.items()}
    return [
        _described(model, known[model.path], seeing.get(model.path))
        if model.path in known
        else _paired(model, pairs)
        for model in models
    ]


def _pairs(files: Sequence[ModelFile], eyes: Mapping[FileState, GgufMetadata]) -> dict[str, FileState]:
    """By the models' names: projectors that are named after them. Among what is left, those of the same width, where
    there is one model and one projector of it: a model that sees nothing must not be given another's eye.
    """
    bases = {_base_name(state.path.stem): state for state in eyes}
    pairs = {file.name: bases[base] for file in files if (base := _base_name(file.name)) in bases}
    of_width: dict[int, list[FileState]] = {}
    for state in eyes:
        if state not in pairs.values():
            of_width.setdefault(eyes[state].projection_length, []).append(state)
    blind = [file for file in files if file.name not in pairs]
    for width, states in of_width.items():
        alike = [file for file in blind if file.metadata.embedding_length == width]
        if len(alike) == len(states) == 1:
            pairs[alike[0].name] = states[0]
    return pairs


def _paired(model: ModelInfo, pairs: Mapping[str, FileState]) -> ModelInfo:
    file = model.file
    if file is None or (state := pairs.get(file.name)) is None:
        return model
    metadata = replace(file.metadata, size_bytes=file.metadata.size_bytes + state.size_bytes)
    seeing = replace(file, projector=state.path, states=(*file.states, state), metadata=metadata)
    return replace(model, file=seeing)


def _described(projector: ModelInfo, metadata: GgufMetadata, model: str | None) -> ModelInfo:
    name = projector.path.name
    if model:
        file = ModelFile(projector.name, projector.path, metadata, projector.states)
        error = ModelUnsupported(f"{name} is what {model} sees with.")
        return replace(projector, error=error, projector=file)
    return replace(
        projector,
        error=ModelUnsupported(
            f"{name} lets a model see or hear, and fits none of the models here.",
            hint="Put the model that it belongs to into the folder, or name it mmproj-MODEL.gguf.",
        ),
    )


def _base_name(stem: str) -> str:
    """Without the mark of a projector and the precision, which differ between a model and its projector."""
    return _PRECISION.sub("", _MARK.sub("", stem)).lower()
