"""Vectors of passages and questions, by the embedding model that is installed, if one is."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from chat.domain.errors import ContextOverflow
from chat.engine.embedder import Embedder, Vectors
from chat.engine.registry import ModelRegistry

# What a family was trained to find before a question and before a passage. Source: the models' cards.
_PREFIXES = {
    r"\be5\b": ("query: ", "passage: "),
    r"nomic": ("search_query: ", "search_document: "),
    r"embedding-?gemma": ("task: search result | query: ", "title: none | text: "),
    r"qwen3-embedding": (
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
        "",
    ),
    r"\bbge-(?!m3).*\ben\b|mxbai-embed|arctic-embed": (
        "Represent this sentence for searching relevant passages: ",
        "",
    ),
}


class Embeddings:
    """Knows which model is asked and how it wants to be asked. Any thread may call."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def model_name(self) -> str:
        """The model that makes vectors, the first by name; "" when none is installed."""
        return next((file.name for file in self._registry.embedders()), "")

    def passages(self, texts: Sequence[str], model: str = "") -> Vectors:
        """Vectors of unit length, shape (n_texts, dim); `model` "" is the one of `model_name`.

        Raises: ChatError.
        """
        return self._vectors(texts, model, is_question=False)

    def question(self, text: str, model: str = "") -> Vectors:
        """One vector of unit length, shape (dim,), to compare with those of passages. Raises: ChatError."""
        vector: Vectors = self._vectors([text], model, is_question=True)[0]
        return vector

    def _vectors(self, texts: Sequence[str], model: str, *, is_question: bool) -> Vectors:
        embedder = self._registry.embedder(model)
        question, passage = prefixes_of(embedder.model)
        prefix = question if is_question else passage
        return _embedded(embedder, [prefix + text for text in texts])


def prefixes_of(model: str) -> tuple[str, str]:
    """What the model of this name wants before a question and before a passage."""
    name = model.lower().replace("_", "-")
    return next((pair for pattern, pair in _PREFIXES.items() if re.search(pattern, name)), ("", ""))


def _embedded(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Too long a text is known by its beginning: 800 letters of some scripts are more tokens than small models read."""
    try:
        return embedder.embed(texts)
    except ContextOverflow:
        if len(texts) == 1:
            return _embedded(embedder, [texts[0][: len(texts[0]) // 2]])
        middle = len(texts) // 2
        parts = [_embedded(embedder, part) for part in (texts[:middle], texts[middle:])]
        return np.concatenate(parts)
