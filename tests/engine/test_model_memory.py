"""Several models within a memory budget: who stays, who goes, and who waits."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from chat.domain.errors import OutOfMemory
from chat.engine import memory_budget
from chat.engine.config import MIB
from chat.engine.embedder import EmbedderProcess
from chat.engine.memory import ModelMemory
from chat.engine.pieces import StatePiece
from chat.engine.process import EngineProcess
from chat.engine.registry import ModelRegistry
from tests.conftest import wait_until
from tests.engine.registries import CONFIG, LONG, MODEL_BYTES, OpenRegistry, Starter, reason_of, request
from tests.engine.tiny_gguf import write_tiny_bert, write_tiny_gguf


def test_a_model_waits_while_the_others_are_busy(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "alpha.gguf", context_tokens=2048)
    write_tiny_gguf(folder / "beta.gguf", context_tokens=2048)
    registry = open_registry()
    busy = registry.get("alpha").submit(request(LONG))

    waiting = registry.get("beta").submit(request())

    assert registry.loaded()["beta"] == "waiting"
    assert waiting.next(timeout_s=30) == StatePiece("waiting")
    busy.cancel()
    assert reason_of(busy) == "stopped"
    assert waiting.next(timeout_s=30) == StatePiece("loading")
    assert reason_of(waiting) == "length"
    assert registry.loaded() == {"beta": "ready"}


def test_idle_ones_are_not_ended_in_vain(folder: Path, open_registry: OpenRegistry, starter: Starter) -> None:
    for name in ("alpha", "beta"):
        write_tiny_gguf(folder / f"{name}.gguf", context_tokens=2048)
    big = write_tiny_gguf(folder / "big.gguf", context_tokens=2048)
    with big.open("r+b") as file:
        file.truncate(60 * MIB)  # holes: as large as two of the others for the estimate
    registry = open_registry(num_models=2)
    assert reason_of(registry.get("alpha").submit(request())) == "length"
    busy = registry.get("beta").submit(request(LONG))

    registry.get("big")

    loaded = registry.loaded()
    assert (list(loaded), loaded["alpha"], loaded["big"]) == (["alpha", "beta", "big"], "ready", "waiting")
    busy.cancel()
    assert reason_of(busy) == "stopped"
    wait_until(lambda: registry.loaded().get("big") == "ready")
    assert "alpha" not in registry.loaded()


def test_one_that_fits_never_is_refused_with_the_figures_before_anything_happens(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    with write_tiny_gguf(folder / "big.gguf").open("r+b") as file:
        file.truncate(200 * MIB)
    registry = open_registry()
    registry.get("alpha")

    with pytest.raises(OutOfMemory) as caught:
        registry.get("big")

    assert caught.value.message.startswith("big needs about 357 MB of memory (210 MB for its weights")
    assert caught.value.message.endswith("models may take 136 MB.")
    assert "smaller quantisation" in caught.value.hint
    assert starter.started == ["alpha"]
    assert "alpha" in registry.loaded()


def test_after_a_while_the_busy_take_no_new_work(
    folder: Path,
    open_registry: OpenRegistry,
    starter: Starter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many ask the one, the other gets its turn; then theirs comes again."""
    monkeypatch.setattr(memory_budget, "PATIENCE_S", 0.0)
    write_tiny_gguf(folder / "alpha.gguf", context_tokens=2048)
    write_tiny_gguf(folder / "beta.gguf", context_tokens=2048)
    registry = open_registry()
    alpha = registry.get("alpha")
    first = alpha.submit(request(LONG))
    beta = registry.get("beta").submit(request())
    assert beta.next(timeout_s=30) == StatePiece("waiting")

    later = alpha.submit(request(max_tokens=150))

    assert later.next(timeout_s=30) == StatePiece("waiting")
    first.cancel()
    assert [reason_of(each) for each in (first, beta, later)] == ["stopped", "length", "length"]
    assert starter.started == ["alpha", "beta", "alpha"]


def test_an_embedder_counts_and_makes_room(folder: Path, starter: Starter, tmp_path: Path) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    write_tiny_bert(folder / "bert.gguf")
    memory = ModelMemory(MODEL_BYTES, CONFIG)
    registry = ModelRegistry(
        folder, starter, memory, start_embedder=lambda file: EmbedderProcess(file.path, CONFIG)
    )
    try:
        assert reason_of(registry.get("alpha").submit(request())) == "length"
        assert 120 * MIB < registry.memory_used_bytes < MODEL_BYTES

        assert len(registry.embedder().embed(["text"])) == 1
        assert registry.loaded() == {"bert": "ready"}
        assert reason_of(registry.get("alpha").submit(request())) == "length"
        assert registry.loaded() == {"alpha": "ready"}
    finally:
        registry.close()


def test_a_child_waits_and_can_be_stopped_meanwhile(folder: Path, tmp_path: Path) -> None:
    room = Event()
    engine = EngineProcess(write_tiny_gguf(folder / "alpha.gguf"), CONFIG, room)
    stopped, other = engine.submit(request()), engine.submit(request())
    assert (engine.status().state, engine.pid) == ("waiting", None)

    stopped.cancel()
    assert reason_of(stopped) == "stopped"
    room.set()

    assert other.next(timeout_s=30) == StatePiece("waiting")
    assert other.next(timeout_s=30) == StatePiece("loading")
    assert reason_of(other) == "length"
    engine.close()
