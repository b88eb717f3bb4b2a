"""Documents and chunks written straight into the tables, and meanings without a model."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from chat.domain.errors import EngineFailed
from chat.models import Chunk, Collection, Document, DocumentStatus, Placement
from chat.retrieval.lexical import index_words

MODEL = "meanings"
DIM = 256
# Words that mean the same have one name.
SYNONYMS = {"vessel": "ship", "boats": "ship", "vessels": "ship", "costly": "expensive", "dear": "expensive"}


def collection_of(*texts: str, name: str | None = None, **fields: object) -> Collection:
    """A named collection with one ready document, a chunk for each text."""
    collection = Collection.objects.create(name=name or f"Collection {Collection.objects.count() + 1}")
    document_in(collection, *texts, **fields)
    return collection


def document_in(
    collection: Collection, *texts: str, title: str = "manual.md", model: str = "", **fields: object
) -> Document:
    """A ready document; its chunks stand one after the other, with vectors when there is a `model`."""
    document = Document.objects.create(
        **{
            "filename": title,
            "num_bytes": 1,
            "status": DocumentStatus.READY,
            "embedder": model,
            "text": "\n".join(texts),
            **fields,
        }
    )
    start = 0
    for text in texts:
        chunk_in(document, text, start, vector=Meanings().passages([text])[0] if model else None)
        start += len(text) + 1
    place(document, collection)
    return document


def chunk_in(
    document: Document,
    text: str,
    start: int = 0,
    *,
    page: int | None = None,
    vector: np.ndarray | None = None,
) -> Chunk:
    """A chunk that can be found by its words."""
    chunk = Chunk.objects.create(
        document=document,
        position=document.chunks.count(),
        text=text,
        start=start,
        end=start + len(text),
        page=page,
        vector=None if vector is None else vector.astype("<f4").tobytes(),
    )
    index_words([(chunk.pk, text)])
    return chunk


def place(document: Document, collection: Collection) -> None:
    Placement.objects.create(collection=collection, document=document)
    count_change(collection)


def count_change(collection: Collection) -> None:
    """As everything does that changes what is searched."""
    collection.version += 1
    collection.save()


class Meanings:
    """Stands for an embedding model: each longer word has a direction of its own, synonyms share one."""

    def __init__(self, model: str = MODEL) -> None:
        self._model = model

    def model_name(self) -> str:
        return self._model

    def passages(self, texts: Sequence[str], model: str = "") -> np.ndarray:
        vectors = np.stack(
            [sum(map(_direction, re.findall(r"\w{4,}", text.lower())), np.zeros(DIM)) for text in texts]
        )
        return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)

    def question(self, text: str, model: str = "") -> np.ndarray:
        return self.passages([text])[0]


class BrokenModel(Meanings):
    """Is installed, and cannot be used."""

    def question(self, text: str, model: str = "") -> np.ndarray:
        raise EngineFailed("The embedding model crashed.")


def _direction(word: str) -> np.ndarray:
    seed = zlib.crc32(SYNONYMS.get(word, word).encode())
    return np.random.default_rng(seed).standard_normal(DIM)
