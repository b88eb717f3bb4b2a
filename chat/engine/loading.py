"""Opens a model file for use: header, weights, context, template; a first decode shows that it works."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chat.domain.errors import ModelUnsupported, OutOfMemory, TemplateFailed
from chat.domain.messages import ChatMessage
from chat.engine.backend import Backend, BatchAborted, Chunk
from chat.engine.chat_template import ChatTemplate, template_source
from chat.engine.config import MIB, EngineConfig
from chat.engine.families import family_of
from chat.engine.gguf import GgufMetadata, read_metadata
from chat.engine.llama_backend import LlamaBackend
from chat.engine.llama_context import PLAIN_SETTINGS, ComputeSettings, default_settings, open_context
from chat.engine.llama_library import library, may_repack, open_model, thread_count, without_missing_gpu
from chat.engine.memory import machine_memory, tokens_per_slot
from chat.engine.threads import ThreadGovernor
from chat.engine.tuning import tuned_settings

# A step of a smaller model takes less time than its threads need to wait for each other on a busy machine.
SMALL_MODEL_BYTES = 32 * MIB
WARM_UP_STEPS = (16, 16, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to write."""

    backend: Backend
    template: ChatTemplate
    family: str


def load_model(path: Path, config: EngineConfig) -> LoadedModel:
    """Load what `path` holds; blocks for as long as the disk takes.

    Raises: ModelUnreadable, ModelUnsupported or OutOfMemory naming the file.
    """
    config = without_missing_gpu(config)
    metadata = read_metadata(path)
    if metadata.purpose != "chat":
        raise ModelUnsupported(f"{path.name} is no model that chats, but of the kind: {metadata.purpose}.")
    backend = _open_backend(path, metadata, config)
    source = template_source(metadata.chat_template, lambda text: _has_token(backend, text))
    template = ChatTemplate(source, backend.begin_text, backend.end_text)
    with contextlib.suppress(TemplateFailed):  # whoever needs it will be told; here it is only compiled
        template.render([ChatMessage.of("user", "")])
    return LoadedModel(backend, template, family_of(source))


def _open_backend(path: Path, metadata: GgufMetadata, config: EngineConfig) -> LlamaBackend:
    settings = tuned_settings(path, metadata, config)
    if settings is not None:
        config = replace(config, use_extra_bufts=settings.is_repacked and may_repack(config))
    model = open_model(path, config)
    num_tokens = tokens_per_slot(metadata, config, machine_memory().free_bytes)
    try:
        context = _open_context(model, config, num_tokens, settings or default_settings(model))
    except BaseException:
        library.llama_model_free(model)
        raise
    backend = LlamaBackend(
        model,
        context,
        _threads_for(metadata, config),
        context_tokens=num_tokens,
        is_exact=metadata.size_bytes < SMALL_MODEL_BYTES and not config.gpu_layers,
    )
    _warm_up(backend)
    if config.projector is not None:
        _open_eye(backend, config.projector, config)
    return backend


def _open_eye(backend: LlamaBackend, projector: Path, config: EngineConfig) -> None:
    try:
        backend.add_projector(projector, config)
    except BaseException:
        backend.close()
        raise


def _open_context(model: Any, config: EngineConfig, num_tokens: int, settings: ComputeSettings) -> Any:
    try:
        return open_context(model, config, num_tokens, settings)
    except OutOfMemory:  # llama.cpp does not say why it refused: some architectures take no 8-bit keys
        return open_context(model, config, num_tokens, PLAIN_SETTINGS)


def _has_token(backend: Backend, text: str) -> bool:
    return any(backend.token_bytes(token) == text.encode() for token in backend.tokenize(text))


def _threads_for(metadata: GgufMetadata, config: EngineConfig) -> ThreadGovernor:
    num_threads = 1 if metadata.size_bytes < SMALL_MODEL_BYTES else thread_count(config)
    return ThreadGovernor.up_to(num_threads)


def _warm_up(backend: Backend) -> None:
    """Reads the weights in, lets a build that crashes on this processor do it before anybody waits for text, and finds
    out how many threads are of use now.
    """
    for num_tokens in WARM_UP_STEPS:
        with contextlib.suppress(BatchAborted):  # a slow trial of another number of threads
            backend.decode([Chunk(0, 0, [0] * num_tokens, wants_logits=True)])
        backend.drop_tail(0, 0)
