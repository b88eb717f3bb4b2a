"""Opens a model file for use: header, weights, context, template; a first decode shows that it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chat.domain.errors import ModelUnsupported
from chat.engine.backend import Backend, Chunk
from chat.engine.chat_template import ChatTemplate
from chat.engine.config import MIB, EngineConfig
from chat.engine.gguf import GgufMetadata, read_metadata
from chat.engine.llama_backend import LlamaBackend
from chat.engine.llama_context import default_settings, open_context, tokens_per_slot
from chat.engine.llama_library import library, open_model, thread_count
from chat.engine.threads import ThreadGovernor
from chat.engine.tool_calls import family_of

# A step of a smaller model takes less time than its threads need to wait for each other on a busy machine.
SMALL_MODEL_BYTES = 32 * MIB


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
    metadata = read_metadata(path)
    if metadata.purpose != "chat":
        raise ModelUnsupported(f"{path.name} is no model that chats, but of the kind: {metadata.purpose}.")
    backend = _open_backend(path, metadata, config)
    source = metadata.chat_template or ""
    template = ChatTemplate(source, backend.begin_text, backend.end_text)
    return LoadedModel(backend, template, family_of(source))


def _open_backend(path: Path, metadata: GgufMetadata, config: EngineConfig) -> LlamaBackend:
    model = open_model(path, config)
    num_tokens = tokens_per_slot(metadata, config)
    try:
        context = open_context(model, config, num_tokens, default_settings(model))
    except BaseException:
        library.llama_model_free(model)
        raise
    backend = LlamaBackend(model, context, _threads_for(metadata, config), context_tokens=num_tokens)
    _warm_up(backend)
    return backend


def _threads_for(metadata: GgufMetadata, config: EngineConfig) -> ThreadGovernor:
    num_threads = thread_count(config)
    return ThreadGovernor(num_threads, 1 if metadata.size_bytes < SMALL_MODEL_BYTES else num_threads)


def _warm_up(backend: Backend) -> None:
    """Reads the weights in, and lets a build that crashes on this processor do it before anybody waits for text."""
    backend.decode([Chunk(0, 0, [0], wants_logits=True)])
    backend.drop_tail(0, 0)
