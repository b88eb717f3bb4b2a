"""Embeddings, by the real `openai` package on the views of this process, with a tiny embedding model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openai
import pytest

import chat.runtime
from chat.engine.config import EngineConfig
from chat.engine.embedder import EmbedderProcess
from chat.engine.registry import ModelRegistry
from chat.models import ApiKey, User
from chat.runtime import Runtime
from tests.api.openai_client import client_in_process
from tests.engine.tiny_gguf import BERT_WIDTH, write_tiny_bert

pytestmark = pytest.mark.django_db(transaction=True)
TEXTS = ["the word", "and you"]


@pytest.fixture
def key(alice: User) -> str:
    return ApiKey.objects.issue(alice, "test")[1]


@pytest.fixture(autouse=True)
def registry(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelRegistry]:
    """A folder with nothing but an embedding model."""
    write_tiny_bert(tmp_path / "embedding" / "tiny-bert.gguf")
    registry = ModelRegistry(
        tmp_path / "embedding",
        lambda *_: pytest.fail("nothing chats here"),
        start_embedder=lambda file: EmbedderProcess(file.path, EngineConfig()),
    )
    monkeypatch.setattr(chat.runtime, "_runtime", replace(runtime, registry=registry))
    yield registry
    registry.close()


async def test_vectors_are_the_same_as_numbers_and_as_bytes(key: str) -> None:
    async with client_in_process(key) as client:
        by_default = await client.embeddings.create(model="tiny-bert", input=TEXTS)  # asks for base64
        as_numbers = await client.embeddings.create(
            model="tiny-bert", input=TEXTS, encoding_format="float", dimensions=BERT_WIDTH
        )
        alone = await client.embeddings.create(model="tiny-bert", input=TEXTS[1], encoding_format="float")
        listed = [model.id async for model in client.models.list()]

    assert [entry.index for entry in by_default.data] == [0, 1]
    for one, other in zip(by_default.data, as_numbers.data, strict=True):
        assert len(one.embedding) == BERT_WIDTH
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert sum(number**2 for number in one.embedding) == pytest.approx(1, abs=1e-4)
    assert alone.data[0].embedding == pytest.approx(by_default.data[1].embedding, abs=1e-5)
    assert "tiny-bert" in listed


async def test_what_cannot_be_done_is_told(key: str) -> None:
    async with client_in_process(key) as client:
        with pytest.raises(openai.BadRequestError) as other_size:
            await client.embeddings.create(model="tiny-bert", input="word", dimensions=3)
        with pytest.raises(openai.BadRequestError) as too_long:
            await client.embeddings.create(model="tiny-bert", input="word " * 2000)
        with pytest.raises(openai.BadRequestError) as chatting:
            await client.chat.completions.create(
                model="tiny-bert", messages=[{"role": "user", "content": "Hello!"}]
            )

    assert other_size.value.param == "dimensions"
    assert (too_long.value.param, too_long.value.code) == ("input", "context_length_exceeded")
    assert chatting.value.param == "model"
