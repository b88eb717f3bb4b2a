"""Vectors of passages and questions, by the model that is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chat.domain.errors import ContextOverflow, ModelNotFound
from chat.engine.registry import ModelRegistry
from chat.retrieval.embedding import Embeddings, prefixes_of
from tests.engine.tiny_gguf import write_tiny_bert


class ShortSighted:
    """An embedder that reads ten letters, and remembers what it was asked."""

    model = "nomic-embed-text"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: list[str]) -> np.ndarray:
        if any(len(text) > 30 for text in texts):
            raise ContextOverflow("too long")
        self.texts += texts
        return np.array([[len(text), 0.0] for text in texts], dtype=np.float32)

    def close(self) -> None:
        pass


@pytest.fixture
def embedder() -> ShortSighted:
    return ShortSighted()


@pytest.fixture
def registry(tmp_path: Path, embedder: ShortSighted) -> ModelRegistry:
    write_tiny_bert(tmp_path / "nomic-embed-text.gguf")
    return ModelRegistry(tmp_path, lambda *_: pytest.fail("no chat here"), start_embedder=lambda _: embedder)


def test_without_a_model_there_are_none(tmp_path: Path) -> None:
    embeddings = Embeddings(ModelRegistry(tmp_path, lambda *_: pytest.fail("no chat here")))

    assert embeddings.model_name() == ""
    with pytest.raises(ModelNotFound):
        embeddings.passages(["text"])


def test_questions_and_passages_are_put_as_the_model_wants_them(
    registry: ModelRegistry, embedder: ShortSighted
) -> None:
    embeddings = Embeddings(registry)

    assert embeddings.question("why?").shape == (2,)
    assert embeddings.passages(["so"]).shape == (1, 2)
    assert embedder.texts == ["search_query: why?", "search_document: so"]


def test_a_text_that_is_too_long_is_known_by_its_beginning_and_the_others_in_full(
    registry: ModelRegistry, embedder: ShortSighted
) -> None:
    vectors = Embeddings(registry).passages(["one", "x" * 60, "two"])

    assert vectors.shape == (3, 2)
    assert [text.removeprefix("search_document: ") for text in embedder.texts] == ["one", "x" * 2, "two"]


@pytest.mark.parametrize(
    ("model", "question", "passage"),
    [
        ("multilingual-e5-small-q8_0", "query: ", "passage: "),
        ("E5-base-v2.F16", "query: ", "passage: "),
        ("nomic-embed-text-v1.5.Q8_0", "search_query: ", "search_document: "),
        ("bge-small-en-v1.5-q8_0", "Represent this sentence for searching relevant passages: ", ""),
        ("bge-m3-Q8_0", "", ""),
        ("all-MiniLM-L6-v2-Q8_0", "", ""),
        ("line5", "", ""),
    ],
)
def test_each_family_has_its_own_words(model: str, question: str, passage: str) -> None:
    assert prefixes_of(model) == (question, passage)
