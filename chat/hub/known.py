"""Short names for a few good small models, each with a licence that allows any use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownModel:
    """`size_bytes` is what stood on the hub when this was written; a pull asks again."""

    name: str
    source: str
    size_bytes: int
    license: str
    note: str


_MODELS = (
    KnownModel(
        "qwen3-0.6b",
        "Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf",
        639_446_688,
        "Apache-2.0",
        "chats, for small machines",
    ),
    KnownModel(
        "qwen3-4b",
        "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        2_497_280_256,
        "Apache-2.0",
        "chats, uses tools well",
    ),
    KnownModel(
        "embedding",
        "CompendiumLabs/bge-small-en-v1.5-gguf/bge-small-en-v1.5-q8_0.gguf",
        36_700_000,
        "MIT",
        "search in documents, English",
    ),
    KnownModel(
        "embedding-multilingual",
        "Qwen/Qwen3-Embedding-0.6B-GGUF/Qwen3-Embedding-0.6B-Q8_0.gguf",
        639_000_000,
        "Apache-2.0",
        "search in documents, 100 languages",
    ),
)
KNOWN_MODELS = {model.name: model for model in _MODELS}
