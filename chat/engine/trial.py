"""Tries a model out: its header, its checksum, and a first token or vector from a process of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from chat.domain.errors import ChatError, EngineFailed, ModelError, ModelUnreadable
from chat.domain.messages import ChatMessage
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.checksums import known_checksums, sha256_of
from chat.engine.config import EngineConfig
from chat.engine.embedder import EmbedderProcess
from chat.engine.model_folder import ModelFile, ModelInfo
from chat.engine.pieces import EndPiece
from chat.engine.process import EngineProcess

CONTEXT_TOKENS = 512
SILENCE_S = 900.0  # a large model from a slow disk


def try_out(model: ModelInfo, config: EngineConfig) -> ChatError | None:
    """What is wrong with a model; None when it answers. Blocks for as long as it takes to load.

    `config` is the server's; the trial takes one slot and a short context.
    """
    try:
        _check_sums(model)
        small = replace(
            config, num_slots=1, context_tokens=CONTEXT_TOKENS, prefix_cache_bytes=0, cache_dir=None
        )
        if model.file is not None:
            _write_a_word(model.file, model.chats, small)
        elif model.embedder is not None:
            _embed_a_word(model.embedder, small)
        elif model.usable is None:  # adapters and projectors are tried with the models that they fit
            return model.error
    except ChatError as exc:
        return exc
    return None


def _check_sums(model: ModelInfo) -> None:
    for state in model.states:
        known = known_checksums(state.path.parent).get(state.path.name)
        if known is not None and _read(state.path, sha256_of) != known:
            raise ModelUnreadable(f"{state.path.name} has changed since it was downloaded.")


def _read(path: Path, read: Callable[[Path], str]) -> str:
    try:
        return read(path)
    except OSError as exc:
        raise ModelError(f"{path.name} cannot be read: {exc.strerror}.") from exc


def _write_a_word(file: ModelFile, variants: Iterable[ModelFile], config: EngineConfig) -> None:
    """Loads, renders the chat template, decodes, then the same with each adapter. Raises: ChatError."""
    engine = EngineProcess(file.path, replace(config, projector=file.projector))
    try:
        for variant in variants:
            _hear_a_word(engine, variant)
    finally:
        engine.close()


def _hear_a_word(engine: EngineProcess, variant: ModelFile) -> None:
    hello, one_word = (ChatMessage.of("user", "Hello"),), SamplingParams(max_tokens=1)
    generation = engine.submit(GenerationRequest(hello, one_word, adapter=variant.adapter))
    while (piece := generation.next(SILENCE_S)) is not None:
        if isinstance(piece, EndPiece):
            return
    raise EngineFailed(f"{variant.name} says nothing.")


def _embed_a_word(file: ModelFile, config: EngineConfig) -> None:
    embedder = EmbedderProcess(file.path, config)
    try:
        vector = embedder.embed(["Hello"])[0]
        if not math.isfinite(float(vector.sum())) or not vector.any():
            raise EngineFailed(f"{file.name} makes vectors that say nothing.")
    finally:
        embedder.close()
