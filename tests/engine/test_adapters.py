"""LoRA adapters on the real library: they change what a model says, each for those who asked for it alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.domain.errors import EngineFailed, ModelUnreadable
from chat.domain.params import AdapterFile
from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from tests.engine.conftest import StartProcess
from tests.engine.talk import ask, hear, is_writing
from tests.engine.tiny_adapter import write_tiny_adapter

QUESTION = "What shall I plant in May, and what in June?"


@pytest.fixture(scope="module")
def pirate(tmp_path_factory: pytest.TempPathFactory) -> AdapterFile:
    return AdapterFile(write_tiny_adapter(tmp_path_factory.mktemp("lora") / "pirate.gguf", seed=1), "1")


@pytest.fixture(scope="module")
def poet(tmp_path_factory: pytest.TempPathFactory) -> AdapterFile:
    return AdapterFile(write_tiny_adapter(tmp_path_factory.mktemp("lora") / "poet.gguf", seed=2), "1")


@pytest.fixture
def engine(tiny: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(tiny, EngineConfig(context_tokens=512))
    yield engine
    engine.close()


def text_of(engine: LlamaEngine, adapter: AdapterFile | None) -> str:
    return hear(engine.submit(ask(QUESTION, adapter=adapter))).text


def test_an_adapter_changes_the_text_and_leaves_no_trace(engine: LlamaEngine, pirate: AdapterFile) -> None:
    before = text_of(engine, None)

    with_adapter = text_of(engine, pirate)

    assert with_adapter != before
    assert text_of(engine, None) == before
    assert text_of(engine, pirate) == with_adapter


def test_side_by_side_each_writes_what_it_writes_alone(
    engine: LlamaEngine, pirate: AdapterFile, poet: AdapterFile
) -> None:
    alone = [text_of(engine, adapter) for adapter in (None, pirate, poet)]

    generations = [
        engine.submit(ask(QUESTION, adapter=adapter, scope=f"other {number}"))
        for number, adapter in enumerate([None, pirate, poet])
    ]

    assert [hear(generation).text for generation in generations] == alone
    assert len(set(alone)) == 3


def test_what_was_computed_with_one_adapter_is_of_no_use_with_another(
    engine: LlamaEngine, pirate: AdapterFile, poet: AdapterFile
) -> None:
    cached = []

    for adapter in (pirate, pirate, poet, None, poet, None, pirate):
        end = hear(engine.submit(ask(QUESTION, adapter=adapter))).end
        assert end is not None
        cached.append(end.usage.cached_tokens > 0)

    assert cached == [False, True, False, False, True, True, True]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"without": "blk.1.attn_v.weight.lora_b"}, "is missing one component"),
        ({"width": 32}, "has incorrect shape"),
        ({"architecture": "qwen2"}, "model arch and LoRA arch mismatch"),
        ({"kind": "dora"}, "expect adapter.type to be 'lora'"),
    ],
)
def test_one_that_cannot_be_used_is_told_to_those_who_asked_for_it(
    engine: LlamaEngine, tmp_path: Path, damage: dict[str, str], words: str
) -> None:
    broken = AdapterFile(write_tiny_adapter(tmp_path / "broken.gguf", **damage), "1")
    neighbour = engine.submit(ask(QUESTION, scope="bob", max_tokens=200))
    hear(neighbour, until=is_writing)

    with pytest.raises(ModelUnreadable) as caught:
        hear(engine.submit(ask(QUESTION, adapter=broken)))

    assert "broken.gguf cannot be used with this model" in caught.value.message
    assert words in caught.value.message
    assert hear(neighbour).end is not None
    assert text_of(engine, None)


def test_one_that_aborts_the_library_ends_the_reply_that_asked_for_it_and_no_other(
    start_process: StartProcess, tmp_path: Path
) -> None:
    hostile = AdapterFile(write_tiny_adapter(tmp_path / "hostile.gguf", add_alpha="add_float64"), "1")
    engine = start_process(context_tokens=2048)
    neighbour = engine.submit(ask(QUESTION, scope="bob", max_tokens=1000))
    hear(neighbour, until=is_writing)

    with pytest.raises(EngineFailed, match="crashed twice while it wrote this answer"):
        hear(engine.submit(ask(QUESTION, adapter=hostile)))

    end = hear(neighbour).end
    assert end is not None
    assert (end.reason, end.usage.completion_tokens) == ("length", 1000)


def test_a_file_cut_short_hurts_nobody_else(
    start_process: StartProcess, pirate: AdapterFile, tmp_path: Path
) -> None:
    """In a process of its own, as the server has it: the library could abort."""
    engine = start_process(context_tokens=512)
    whole = pirate.path.read_bytes()
    for length in (0, 5, 400, len(whole) // 2):
        cut = tmp_path / f"cut{length}.gguf"
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelUnreadable, match=f"cut{length}.gguf cannot be used"):
            hear(engine.submit(ask(QUESTION, adapter=AdapterFile(cut, "1"))))
    with pytest.raises(ModelUnreadable, match=r"gone\.gguf"):
        hear(engine.submit(ask(QUESTION, adapter=AdapterFile(tmp_path / "gone.gguf", "1"))))

    first = engine.pid
    assert hear(engine.submit(ask(QUESTION, adapter=pirate))).text
    assert engine.pid == first
