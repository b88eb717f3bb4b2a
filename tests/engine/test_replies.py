"""How one reply is chosen, and where it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.domain.errors import ContextOverflow
from chat.engine.engine import LlamaEngine
from tests.engine.conftest import StartEngine
from tests.engine.talk import ask, hear
from tests.engine.tiny_gguf import write_tiny_gguf


class TestEnds:
    def test_max_tokens_is_exact(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(ask("count", max_tokens=17)))

        assert heard.end.reason == "length"
        assert heard.end.usage.completion_tokens == 17

    def test_a_stop_string_ends_the_reply_and_is_not_shown(self, shared_engine: LlamaEngine) -> None:
        whole = hear(shared_engine.submit(ask("hello"))).text
        stop = whole[12:16]

        heard = hear(shared_engine.submit(ask("hello", stop=(stop,))))

        assert heard.end.reason == "stop"
        assert heard.text == whole[: whole.index(stop)]

    def test_the_models_own_end_token_ends_the_reply(self, start_engine: StartEngine, tmp_path: Path) -> None:
        engine = start_engine(write_tiny_gguf(tmp_path / "brief.gguf", end_bias=6.0))

        heard = hear(engine.submit(ask("hello", max_tokens=400)))

        assert heard.end.reason == "stop"
        assert "<|im_end|>" not in heard.text

    def test_a_full_context_ends_the_reply_with_its_text_kept(
        self, start_engine: StartEngine, short_tiny: Path
    ) -> None:
        engine = start_engine(short_tiny, num_slots=3)

        heard = [hear(engine.submit(ask(f"hello {i}", max_tokens=100_000))) for i in range(4)]

        for each in heard:
            assert each.end.reason == "length"
            assert each.end.usage.prompt_tokens + each.end.usage.completion_tokens == 256
            assert len(each.text) > 100

    def test_a_prompt_that_just_fits_is_answered_and_one_token_more_is_refused(
        self, start_engine: StartEngine, short_tiny: Path
    ) -> None:
        engine = start_engine(short_tiny)
        fits = "x" * (255 - engine.count_tokens(ask("")))
        assert engine.count_tokens(ask(fits)) == 255

        assert hear(engine.submit(ask(fits))).end.usage.completion_tokens == 1
        with pytest.raises(ContextOverflow, match=r"256 tokens.*holds 256"):
            hear(engine.submit(ask(fits + "x")))

    def test_memory_bounds_the_context(self, start_engine: StartEngine) -> None:
        small = start_engine(kv_cache_bytes=1_000_000)
        asked_for = start_engine(context_tokens=600)

        assert 256 <= small.wait_until_loaded() < 2048
        assert asked_for.wait_until_loaded() == 600

    def test_a_megabyte_of_emoji_is_refused(self, shared_engine: LlamaEngine) -> None:
        with pytest.raises(ContextOverflow):
            hear(shared_engine.submit(ask("🌻" * 250_000)))

    def test_lone_surrogates_and_nul_do_no_harm(self, shared_engine: LlamaEngine) -> None:
        assert hear(shared_engine.submit(ask("\ud83d and \x00"))).end


class TestSampling:
    def test_the_same_seed_gives_the_same_text(self, shared_engine: LlamaEngine) -> None:
        def write(seed: int) -> str:
            return hear(
                shared_engine.submit(ask("hello", temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, seed=seed))
            ).text

        assert write(7) == write(7) != write(8)

    def test_without_a_seed_texts_differ(self, shared_engine: LlamaEngine) -> None:
        texts = {
            hear(shared_engine.submit(ask("hello", temperature=1.5, top_p=1.0, min_p=0.0))).text
            for _ in range(3)
        }

        assert len(texts) == 3

    def test_top_k_one_is_greedy(self, shared_engine: LlamaEngine) -> None:
        greedy = hear(shared_engine.submit(ask("hello"))).text

        assert hear(shared_engine.submit(ask("hello", temperature=1.0, top_k=1))).text == greedy

    def test_a_strong_presence_penalty_avoids_repeats(self, shared_engine: LlamaEngine) -> None:
        plain = hear(shared_engine.submit(ask("hello", max_tokens=60))).text
        penalized = hear(shared_engine.submit(ask("hello", max_tokens=60, presence_penalty=2.0))).text

        assert len(set(penalized)) > len(set(plain))


class TestGoingOn:
    def test_a_reply_prefix_is_gone_on_from_and_not_repeated(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(ask("hello", reply_prefix="Once upon a time, ")))

        assert not heard.text.startswith("Once")
        assert heard.end.usage.prompt_tokens > shared_engine.count_tokens(ask("hello"))
