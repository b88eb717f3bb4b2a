"""The models folder and the engines of its models, with real engines on tiny models."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import numpy as np
import pytest

from chat.domain.errors import Conflict, EngineFailed, ModelNotFound, ModelUnreadable, ModelUnsupported
from chat.engine.registry import ModelRegistry
from tests.engine.registries import OpenRegistry, Starter, reason_of, request
from tests.engine.tiny_gguf import write_tiny_gguf


def split(path: Path, folder: Path, num_parts: int) -> list[Path]:
    """Write the files of a split model, one small tensor in each."""
    names = [f"{path.stem}-{number:05}-of-{num_parts:05}.gguf" for number in range(1, num_parts + 1)]
    for number, name in enumerate(names):
        writer = gguf.GGUFWriter(folder / name, "llama")
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", num_parts)
        writer.add_token_list(["a", "b"])
        writer.add_tensor(f"tensor{number}", np.zeros((2, 4), dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return [folder / name for name in names]


def test_lists_what_can_chat_and_what_cannot(folder: Path, open_registry: OpenRegistry) -> None:
    write_tiny_gguf(folder / "starter.gguf")
    write_tiny_gguf(folder / "beta.gguf", tensor_type="Q8_0")
    (folder / "alpha.gguf").write_text("not a model")
    write_tiny_gguf(folder / "mute.gguf", has_tokenizer=False)
    (folder / "README.md").write_text("no model")
    (folder / "starter").mkdir()

    registry = open_registry()

    assert [(model.name, model.error and model.error.message) for model in registry.models()] == [
        ("alpha", "alpha.gguf is not a GGUF file."),
        ("beta", None),
        ("mute", "mute.gguf has no vocabulary."),
        ("starter", None),
    ]
    assert [file.name for file in registry.files()] == ["beta", "starter"]
    assert registry.summary() == (
        "Models: beta (Q8_0), starter (F32). alpha.gguf is not a GGUF file. mute.gguf has no vocabulary."
    )


@pytest.mark.parametrize(
    ("architecture", "general_type", "words"),
    [
        ("bert", "model", "turns text into vectors and does not chat."),
        ("llama", "adapter", "is an adapter of a kind that cannot be used: only LoRA can."),
        ("clip", "mmproj", "lets a model see or hear, and fits none of the models here."),
    ],
)
def test_what_does_not_chat_says_what_it_is(
    folder: Path,
    open_registry: OpenRegistry,
    architecture: str,
    general_type: str,
    words: str,
) -> None:
    writer = gguf.GGUFWriter(folder / "other.gguf", architecture)
    writer.add_type(general_type)
    writer.add_tensor("t", np.zeros((2, 4), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with pytest.raises(ModelUnsupported) as caught:
        open_registry().get("other")

    assert caught.value.message == f"other.gguf {words}"


def test_the_parts_of_a_split_model_are_one_model(folder: Path, open_registry: OpenRegistry) -> None:
    parts = split(Path("big"), folder, 3)

    (file,) = open_registry().files()

    assert (file.name, file.path, len(file.states)) == ("big", parts[0], 3)
    assert file.metadata.num_parameters == 3 * 8
    assert file.metadata.size_bytes == sum(part.stat().st_size for part in parts)


def test_a_missing_part_is_named(folder: Path, open_registry: OpenRegistry) -> None:
    split(Path("big"), folder, 3)[1].unlink()

    with pytest.raises(ModelUnreadable) as caught:
        open_registry().get("big")

    assert (
        caught.value.message == "big-00001-of-00003.gguf is one of 3 files of a model: number 2 is missing."
    )


def test_headers_are_read_once(folder: Path, open_registry: OpenRegistry) -> None:
    write_tiny_gguf(folder / "one.gguf")
    registry = open_registry()

    assert registry.files()[0].metadata is registry.files()[0].metadata


def test_the_default_is_the_users_own_model_before_the_starter(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "starter.gguf")
    registry = open_registry()
    registry.get("")
    write_tiny_gguf(folder / "zulu.gguf")

    assert registry.default().name == "zulu"
    registry.get("")
    assert starter.started == ["starter", "zulu"]


def test_the_configured_default_comes_first(folder: Path, open_registry: OpenRegistry) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    write_tiny_gguf(folder / "beta.gguf")

    assert open_registry(default_name="beta").default().name == "beta"


def test_an_unknown_name_lists_the_names_there_are(folder: Path, open_registry: OpenRegistry) -> None:
    write_tiny_gguf(folder / "alpha.gguf")

    with pytest.raises(ModelNotFound) as caught:
        open_registry().get("beta")

    assert caught.value.message == "There is no model “beta”."
    assert caught.value.hint == "Choose another model. There are: alpha."


def test_an_empty_folder_says_where_to_put_a_model(folder: Path, open_registry: OpenRegistry) -> None:
    registry = open_registry()

    with pytest.raises(ModelNotFound) as caught:
        registry.get("")

    assert str(folder) in caught.value.hint
    assert registry.summary() == "There is no model to chat with."


def test_an_absent_folder_is_empty(tmp_path: Path, starter: Starter) -> None:
    assert ModelRegistry(tmp_path / "absent", starter).models() == []


def test_an_engine_starts_when_it_is_asked_for(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    registry = open_registry()
    registry.models()
    assert starter.started == []

    assert reason_of(registry.get("alpha").submit(request())) == "length"

    assert registry.get("alpha").status().state == "ready"
    assert starter.started == ["alpha"]


def test_the_engine_not_used_for_longest_is_unloaded(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    for name in ("alpha", "beta", "gamma"):
        write_tiny_gguf(folder / f"{name}.gguf")
    registry = open_registry(num_models=2)

    for name in ("alpha", "beta", "alpha", "gamma", "alpha"):
        registry.get(name)

    assert starter.started == ["alpha", "beta", "gamma"]
    assert len(registry.status()) == 2


def test_an_engine_in_hand_survives_unloading(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    write_tiny_gguf(folder / "beta.gguf")
    registry = open_registry()
    engine = registry.get("alpha")
    registry.get("beta")

    assert reason_of(engine.submit(request())) == "length"
    assert engine.count_tokens(request()) > 0
    assert starter.started == ["alpha", "beta", "alpha"]


def test_a_replaced_file_gets_a_new_engine(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    path = write_tiny_gguf(folder / "alpha.gguf")
    registry = open_registry()
    engine = registry.get("alpha")
    os.replace(write_tiny_gguf(folder / "new" / "alpha.gguf", seed=2), path)  # noqa: PTH105

    assert reason_of(engine.submit(request())) == "length"

    assert starter.started == ["alpha", "alpha"]
    assert len(registry.status()) == 1


def test_a_broken_replacement_leaves_the_loaded_model_alone(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    path = write_tiny_gguf(folder / "alpha.gguf")
    registry = open_registry()
    engine = registry.get("alpha")
    assert reason_of(engine.submit(request())) == "length"
    (folder / "new").write_text("half a download")
    shutil.move(folder / "new", path)

    assert reason_of(engine.submit(request())) == "length"
    assert registry.files() == []
    assert starter.started == ["alpha"]


def test_many_threads_start_one_engine(folder: Path, open_registry: OpenRegistry, starter: Starter) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    registry = open_registry()

    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(lambda _: reason_of(registry.get("").submit(request())), range(16)))

    assert reasons == ["length"] * 16
    assert starter.started == ["alpha"]


def test_after_close_no_engine_is_given_out(folder: Path, open_registry: OpenRegistry) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    registry = open_registry()
    engine = registry.get("alpha")

    registry.close()

    with pytest.raises(EngineFailed, match="shutting down"):
        engine.submit(request())
    assert registry.status() == []


def test_a_model_is_loaded_and_unloaded_when_asked(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    registry = open_registry()
    assert registry.loaded() == {}

    registry.load("alpha")
    assert reason_of(registry.get("alpha").submit(request())) == "length"
    assert registry.loaded() == {"alpha": "ready"}
    registry.unload("alpha")

    assert registry.loaded() == {}
    assert reason_of(registry.get("alpha").submit(request())) == "length"
    assert starter.started == ["alpha", "alpha"]


def test_a_model_that_writes_is_neither_unloaded_nor_removed(
    folder: Path, open_registry: OpenRegistry
) -> None:
    path = write_tiny_gguf(folder / "alpha.gguf")
    registry = open_registry()
    generation = registry.get("alpha").submit(request(max_tokens=150))

    with pytest.raises(Conflict, match="alpha is writing an answer"):
        registry.unload("alpha")
    with pytest.raises(Conflict):
        registry.remove("alpha")

    assert path.exists()
    assert reason_of(generation) == "length"


def test_removing_a_split_model_deletes_all_its_files_and_no_other(
    folder: Path, open_registry: OpenRegistry
) -> None:
    split(Path("big"), folder, 3)
    write_tiny_gguf(folder / "big2.gguf")
    registry = open_registry()

    registry.remove("big")

    assert [path.name for path in folder.iterdir()] == ["big2.gguf"]
    with pytest.raises(ModelNotFound):
        registry.remove("../big2")
