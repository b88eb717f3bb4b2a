"""Embedders: vectors of texts from a child process, and the embedding models of the folder."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import numpy as np
import pytest

from chat.domain.errors import (
    Conflict,
    ContextOverflow,
    EngineFailed,
    ModelNotFound,
    ModelUnreadable,
    ModelUnsupported,
)
from chat.engine.config import EngineConfig
from chat.engine.embedder import EmbedderProcess, Vectors
from chat.engine.llama_embedder import LlamaEmbedder
from chat.engine.registry import ModelRegistry
from tests.conftest import wait_until
from tests.engine.tiny_gguf import BERT_WIDTH, write_tiny_bert, write_tiny_gguf

TEXTS = ["the word", "and you", "x" * 20, "That with, have this!", "", "🌻 \ud83d \x00"]

StartEmbedder = Callable[..., EmbedderProcess]


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert") / "tiny-bert.gguf")


@pytest.fixture
def start_embedder(tiny_bert: Path) -> Iterator[StartEmbedder]:
    embedders: list[EmbedderProcess] = []

    def start(path: Path = tiny_bert, **settings: object) -> EmbedderProcess:
        embedders.append(EmbedderProcess(path, EngineConfig(**settings)))
        return embedders[-1]

    yield start
    for embedder in embedders:
        embedder.close()


class TestVectors:
    @pytest.fixture
    def embedder(self, tiny_bert: Path) -> Iterator[LlamaEmbedder]:
        embedder = LlamaEmbedder(tiny_bert, EngineConfig())
        yield embedder
        embedder.close()

    def test_each_text_has_one_of_unit_length(self, embedder: LlamaEmbedder) -> None:
        vectors = embedder.embed(TEXTS)

        assert (vectors.shape, vectors.dtype) == ((len(TEXTS), embedder.dim), np.float32)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)

    def test_a_text_has_the_same_vector_in_any_company(self, embedder: LlamaEmbedder) -> None:
        together = embedder.embed(TEXTS * 10)
        alone = np.concatenate([embedder.embed([text]) for text in TEXTS])

        np.testing.assert_allclose(together, np.tile(alone, (10, 1)), atol=1e-5)
        assert not np.allclose(alone[0], alone[1], atol=0.01)

    def test_a_text_that_just_fits_and_one_token_more(self, embedder: LlamaEmbedder) -> None:
        """Two of the 64 tokens stand around the text."""
        assert embedder.embed(["x" * 62]).shape == (1, BERT_WIDTH)
        with pytest.raises(ContextOverflow, match=r"65 tokens.*reads 64"):
            embedder.embed(["fits", "x" * 63])

    @pytest.mark.parametrize("pooling", [gguf.PoolingType.CLS, gguf.PoolingType.LAST, gguf.PoolingType.NONE])
    def test_the_file_says_how_tokens_become_one_vector(
        self, embedder: LlamaEmbedder, tmp_path: Path, pooling: gguf.PoolingType
    ) -> None:
        other = LlamaEmbedder(write_tiny_bert(tmp_path / "other.gguf", pooling=pooling), EngineConfig())

        is_same = np.allclose(other.embed(["the word"]), embedder.embed(["the word"]), atol=1e-4)
        other.close()

        assert is_same == (pooling is gguf.PoolingType.NONE), "without a word about it the mean is taken"

    def test_a_decoder_that_was_made_into_one_works_too(self, tmp_path: Path) -> None:
        path = write_tiny_gguf(tmp_path / "decoder.gguf", pooling=gguf.PoolingType.LAST)
        embedder = LlamaEmbedder(path, EngineConfig())

        together, alone = embedder.embed(["the word", "and you"] * 9), embedder.embed(["and you"])
        embedder.close()

        np.testing.assert_allclose(together[1], alone[0], atol=1e-4)
        np.testing.assert_allclose(together[17], alone[0], atol=1e-4)

    def test_a_model_that_chats_is_refused(self, tiny: Path) -> None:
        with pytest.raises(ModelUnsupported, match=r"tiny\.gguf does not turn text into vectors"):
            LlamaEmbedder(tiny, EngineConfig())


class TestProcess:
    def test_vectors_are_the_same_as_in_this_process(
        self, start_embedder: StartEmbedder, tiny_bert: Path
    ) -> None:
        here = LlamaEmbedder(tiny_bert, EngineConfig())
        there = start_embedder()

        np.testing.assert_allclose(there.embed(TEXTS * 20), here.embed(TEXTS * 20), atol=1e-5)
        assert (there.model, there.dim) == ("tiny-bert", BERT_WIDTH)
        here.close()

    def test_no_texts_are_no_vectors(self, start_embedder: StartEmbedder) -> None:
        assert start_embedder().embed([]).shape == (0, BERT_WIDTH)

    def test_errors_cross_the_border_and_leave_it_usable(self, start_embedder: StartEmbedder) -> None:
        embedder = start_embedder()

        with pytest.raises(ContextOverflow, match="65 tokens"):
            embedder.embed(["x" * 63])
        assert embedder.embed(["fits"]).shape == (1, BERT_WIDTH)

    def test_many_threads_may_ask(self, start_embedder: StartEmbedder) -> None:
        embedder = start_embedder()
        alone = embedder.embed(TEXTS)

        with ThreadPoolExecutor(8) as pool:
            found = list(
                pool.map(lambda number: embedder.embed([TEXTS[number % len(TEXTS)]] * 20), range(24))
            )

        for number, vectors in enumerate(found):
            np.testing.assert_allclose(vectors[19], alone[number % len(TEXTS)], atol=1e-5)

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
    def test_a_child_that_dies_or_hangs_is_replaced(
        self, start_embedder: StartEmbedder, how: signal.Signals
    ) -> None:
        embedder = start_embedder(watchdog_s=2.0)
        before, old_pid = embedder.embed(TEXTS), embedder.pid

        os.kill(old_pid, how)

        np.testing.assert_allclose(embedder.embed(TEXTS), before, atol=1e-5)
        assert embedder.pid != old_pid

    def test_a_broken_file_is_named_and_tried_again_later(
        self, start_embedder: StartEmbedder, tiny_bert: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "half.gguf"
        path.write_bytes(tiny_bert.read_bytes()[:9000])
        embedder = start_embedder(path)

        with pytest.raises(ModelUnreadable, match=r"half\.gguf"):
            embedder.embed(["text"])
        path.write_bytes(tiny_bert.read_bytes())

        assert embedder.embed(["text"]).shape == (1, BERT_WIDTH)

    def test_after_close_it_says_so(self, start_embedder: StartEmbedder) -> None:
        embedder = start_embedder()
        embedder.embed(["text"])
        pid = embedder.pid

        embedder.close()
        embedder.close()

        assert not Path(f"/proc/{pid}").exists()
        with pytest.raises(EngineFailed, match="closed"):
            embedder.embed(["text"])


class TestRegistry:
    @pytest.fixture
    def registry(self, tmp_path: Path) -> Iterator[ModelRegistry]:
        config = EngineConfig()
        registry = ModelRegistry(
            tmp_path,
            lambda file, _room: pytest.fail(f"{file.name} must not chat"),
            start_embedder=lambda file: EmbedderProcess(file.path, config),
        )
        yield registry
        registry.close()

    def test_embedding_models_are_found_and_do_not_chat(
        self, tmp_path: Path, registry: ModelRegistry
    ) -> None:
        write_tiny_gguf(tmp_path / "chat.gguf")
        write_tiny_gguf(tmp_path / "decoder.gguf", pooling=gguf.PoolingType.LAST)
        write_tiny_bert(tmp_path / "small.gguf")

        assert [file.name for file in registry.files()] == ["chat"]
        assert [file.name for file in registry.embedders()] == ["decoder", "small"]
        assert registry.summary() == "Models: chat (F32). For search: decoder, small."
        with pytest.raises(ModelUnsupported, match=r"small\.gguf turns text into vectors"):
            registry.get("small")

    def test_one_embedder_is_started_for_each_model(self, tmp_path: Path, registry: ModelRegistry) -> None:
        write_tiny_bert(tmp_path / "alpha.gguf")
        write_tiny_bert(tmp_path / "beta.gguf", seed=1)

        vectors = [registry.embedder(name).embed(["text"]) for name in ("", "alpha", "beta")]

        assert np.array_equal(vectors[0], vectors[1])
        assert not np.allclose(vectors[0], vectors[2], atol=0.01)
        assert registry.loaded() == {"alpha": "ready", "beta": "ready"}

    def test_it_is_loaded_and_unloaded_when_asked(self, tmp_path: Path, registry: ModelRegistry) -> None:
        write_tiny_bert(tmp_path / "alpha.gguf")
        held = registry.embedder()
        assert registry.loaded() == {}

        registry.load("alpha")
        assert registry.loaded()["alpha"] in ("loading", "ready")
        wait_until(lambda: registry.loaded()["alpha"] == "ready")
        registry.unload("alpha")

        assert registry.loaded() == {}
        assert held.embed(["text"]).shape == (1, BERT_WIDTH)

    def test_it_is_not_unloaded_in_the_middle_of_a_text(self, tmp_path: Path) -> None:
        write_tiny_bert(tmp_path / "alpha.gguf")
        reading = threading.Event()
        finish = threading.Event()

        class Slow(EmbedderProcess):
            def embed(self, texts: Sequence[str]) -> Vectors:
                reading.set()
                assert finish.wait(20)
                return super().embed(texts)

        table = ModelRegistry(
            tmp_path,
            lambda *_: pytest.fail("none chats"),
            start_embedder=lambda file: Slow(file.path, EngineConfig()),
        )
        with ThreadPoolExecutor() as pool:
            vectors = pool.submit(table.embedder().embed, ["text"])
            assert reading.wait(20)
            with pytest.raises(Conflict, match="alpha is reading texts"):
                table.unload("alpha")
            finish.set()

            assert vectors.result().shape == (1, BERT_WIDTH)
        table.close()

    def test_a_broken_one_tells_so_when_it_is_loaded(self, tmp_path: Path, registry: ModelRegistry) -> None:
        path = write_tiny_bert(tmp_path / "alpha.gguf")
        path.write_bytes(path.read_bytes().replace(b"blk.0.attn_q.weight", b"blk.0.attn_x.weight"))

        registry.load("alpha")

        wait_until(lambda: registry.loaded()["alpha"] == "failed")

    def test_a_replaced_file_gets_a_new_one(self, tmp_path: Path, registry: ModelRegistry) -> None:
        path = write_tiny_bert(tmp_path / "alpha.gguf")
        before = registry.embedder().embed(["the word"])
        os.replace(write_tiny_bert(tmp_path / "new" / "alpha.gguf", seed=2), path)  # noqa: PTH105

        assert not np.allclose(registry.embedder().embed(["the word"]), before, atol=0.01)

    def test_an_unknown_name_lists_the_names_there_are(self, tmp_path: Path, registry: ModelRegistry) -> None:
        with pytest.raises(ModelNotFound, match="There is no embedding model"):
            registry.embedder()
        write_tiny_bert(tmp_path / "alpha.gguf")

        with pytest.raises(ModelNotFound) as caught:
            registry.embedder("beta")
        assert caught.value.hint == "Choose another. There are: alpha."

    def test_after_close_none_is_given_out(self, tmp_path: Path, registry: ModelRegistry) -> None:
        write_tiny_bert(tmp_path / "alpha.gguf")
        embedder = registry.embedder()

        registry.close()

        with pytest.raises(EngineFailed):
            registry.embedder()
        with pytest.raises(EngineFailed):
            embedder.embed(["text"])
