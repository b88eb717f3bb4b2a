"""Attention settings are measured once and remembered; whatever is remembered wrongly is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat.engine import tuning
from chat.engine.llama_library import library
from tests.engine.conftest import StartEngine
from tests.engine.talk import ask, hear


@pytest.fixture(autouse=True)
def _tune_tiny_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "MIN_MODEL_BYTES", 0)


def test_a_choice_is_made_and_kept(start_engine: StartEngine, tmp_path: Path) -> None:
    assert hear(start_engine(cache_dir=tmp_path / "tuning").submit(ask("hello"))).text

    [path] = (tmp_path / "tuning").iterdir()
    chosen = json.loads(path.read_text())
    assert set(chosen) == {"has_flash_attention", "key_type", "value_type", "is_repacked"}


@pytest.mark.skipif(library.llama_supports_gpu_offload(), reason="llama.cpp chooses for a graphics processor")
def test_layers_for_a_graphics_processor_that_is_not_there_do_not_keep_from_choosing(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    start_engine(cache_dir=tmp_path, gpu_layers=-1).wait_until_loaded()

    assert len(list(tmp_path.iterdir())) == 1


def test_a_kept_choice_is_obeyed_without_measuring(
    start_engine: StartEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_engine(cache_dir=tmp_path).wait_until_loaded()
    monkeypatch.setattr(tuning, "_measure", None)

    assert hear(start_engine(cache_dir=tmp_path).submit(ask("hello"))).text


@pytest.mark.parametrize(
    "content", ["", "{}", '{"has_flash_attention": true, "key_type": "q9", "value_type": "f16"}']
)
def test_a_spoilt_choice_is_made_again(start_engine: StartEngine, tmp_path: Path, content: str) -> None:
    start_engine(cache_dir=tmp_path).wait_until_loaded()
    [path] = tmp_path.iterdir()
    path.write_text(content)

    assert hear(start_engine(cache_dir=tmp_path).submit(ask("hello"))).text
    assert json.loads(path.read_text())["key_type"] in ("f16", "q8_0")


def test_a_folder_that_cannot_be_written_does_no_harm(start_engine: StartEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    assert hear(start_engine(cache_dir=tmp_path / "file" / "tuning").submit(ask("hello"))).text


def test_small_models_start_without_measuring(
    start_engine: StartEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()

    start_engine(cache_dir=tmp_path).wait_until_loaded()

    assert not list(tmp_path.iterdir())
