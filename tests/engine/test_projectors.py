"""Which projector belongs to which model: by their names, else by the width of what it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.engine.model_folder import ModelFolder
from tests.engine.tiny_gguf import write_tiny_gguf
from tests.engine.tiny_projector import write_tiny_projector


def pairs(folder: Path) -> dict[str, str]:
    """The projector's file by the model's name."""
    files = [model.file for model in ModelFolder(folder).scan() if model.file]
    return {file.name: file.projector.name for file in files if file.projector}


@pytest.mark.parametrize(
    "name",
    [
        "mmproj-tiny-4b.gguf",
        "mmproj-tiny-4b-F16.gguf",
        "tiny-4b-mmproj.gguf",
        "tiny-4b.mmproj-Q8_0.gguf",
        "mmproj-Tiny-4B-bf16.gguf",
        "mmproj.gguf",
        "mmproj-model-f16.gguf",
    ],
)
def test_a_projector_is_found_by_its_name_or_by_its_width(tmp_path: Path, name: str) -> None:
    write_tiny_gguf(tmp_path / "tiny-4b-Q4_K_M.gguf")
    write_tiny_projector(tmp_path / name)

    assert pairs(tmp_path) == {"tiny-4b-Q4_K_M": name}


def test_a_name_goes_before_a_width(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "one.gguf")
    write_tiny_gguf(tmp_path / "two.gguf")
    write_tiny_projector(tmp_path / "mmproj-two.gguf")

    assert pairs(tmp_path) == {"two": "mmproj-two.gguf"}


def test_where_several_would_do_none_is_taken(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "one.gguf")
    write_tiny_gguf(tmp_path / "two.gguf")
    write_tiny_projector(tmp_path / "mmproj.gguf")

    assert pairs(tmp_path) == {}


def test_a_projector_of_another_width_fits_nothing_and_says_so(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "tiny.gguf")
    write_tiny_projector(tmp_path / "mmproj-other.gguf", width=96)

    models = {model.name: model for model in ModelFolder(tmp_path).scan()}

    projector = models["mmproj-other"]
    assert projector.usable is None
    assert projector.error
    assert "fits none of the models" in projector.error.message
    assert pairs(tmp_path) == {}


def test_a_paired_projector_names_its_model(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "tiny.gguf")
    write_tiny_projector(tmp_path / "mmproj-tiny.gguf")

    models = {model.name: model for model in ModelFolder(tmp_path).scan()}

    assert models["mmproj-tiny"].file is None
    assert models["mmproj-tiny"].projector
    assert models["mmproj-tiny"].error
    assert models["mmproj-tiny"].error.message == "mmproj-tiny.gguf is what tiny sees with."


def test_a_new_projector_makes_another_model_of_it(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "tiny.gguf")
    folder = ModelFolder(tmp_path)
    before = folder.chat_file("tiny")
    write_tiny_projector(tmp_path / "mmproj-tiny.gguf")

    after = folder.chat_file("tiny")

    assert before.states != after.states
    assert after.metadata.size_bytes > before.metadata.size_bytes
