"""Model files that cannot be loaded, or are changed while they are in use: only the child ever dies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chat.domain.errors import ModelUnreadable
from tests.engine.conftest import StartProcess
from tests.engine.talk import ask, hear, is_writing
from tests.engine.tiny_gguf import write_tiny_gguf


class TestModelsThatDoNotLoad:
    def test_the_file_is_named_to_all_who_wait_and_a_later_try_succeeds(
        self, start_process: StartProcess, tiny: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "half.gguf"
        path.write_bytes(tiny.read_bytes()[:70_000])
        engine = start_process(path)
        generations = [engine.submit(ask("hello")) for _ in range(3)]

        for generation in generations:
            with pytest.raises(ModelUnreadable, match=r"half\.gguf"):
                hear(generation)
        status = engine.status()
        path.write_bytes(tiny.read_bytes())

        assert (status.state, "half.gguf" in status.detail) == ("failed", True)
        assert hear(engine.submit(ask("hello"))).end
        assert engine.status().state == "ready"

    def test_a_file_that_aborts_llama_cpp_kills_only_the_child(
        self, start_process: StartProcess, tmp_path: Path
    ) -> None:
        twice_the_same = ("<|im_start|>", "<|im_start|>", "<|im_end|>")  # GGML_ASSERT in llama-vocab.cpp
        path = write_tiny_gguf(tmp_path / "hostile.gguf", special_tokens=twice_the_same)
        engine = start_process(path)

        with pytest.raises(ModelUnreadable, match=r"hostile\.gguf crashes llama\.cpp"):
            hear(engine.submit(ask("hello")))
        assert engine.status().state == "failed"

    def test_a_file_that_is_cut_while_it_is_in_use_ends_in_an_error(
        self, start_process: StartProcess, tiny: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "shrinking.gguf"
        path.write_bytes(tiny.read_bytes())
        generation = start_process(path).submit(ask("hello", max_tokens=1900))
        hear(generation, until=is_writing)

        os.truncate(path, 50_000)

        with pytest.raises(ModelUnreadable, match=r"shrinking\.gguf"):
            hear(generation)

    def test_counting_tokens_of_a_broken_model_tells_why(
        self, start_process: StartProcess, tmp_path: Path
    ) -> None:
        path = tmp_path / "text.gguf"
        path.write_text("Dear Sir or Madam")

        with pytest.raises(ModelUnreadable):
            start_process(path).count_tokens(ask("hello"))
