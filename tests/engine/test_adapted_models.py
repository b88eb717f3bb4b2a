"""LoRA adapters of the models folder, by the names under which people choose them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chat.domain.errors import ModelNotFound, ModelUnsupported
from tests.engine.registries import OpenRegistry, Starter, request
from tests.engine.talk import hear
from tests.engine.tiny_adapter import write_tiny_adapter
from tests.engine.tiny_gguf import write_tiny_gguf


def test_it_is_chosen_together_with_the_models_that_it_fits(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    for name in ("alpha", "starter"):
        write_tiny_gguf(folder / f"{name}.gguf")
    write_tiny_adapter(folder / "pirate.gguf")
    write_tiny_adapter(folder / "other.gguf", width=32)
    registry = open_registry()

    models = {model.name: model for model in registry.models()}

    assert [file.name for file in registry.files()] == [
        "alpha",
        "alpha+pirate",
        "starter",
        "starter+pirate",
    ]
    assert registry.default().name == "alpha"
    assert models["pirate"].adapter is not None
    assert models["other"].usable is None
    assert models["other"].error is not None
    assert "alpha: blk.0.attn_q.weight has another shape in this model" in models["other"].error.message


def test_one_engine_serves_a_model_and_its_adapters(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    for seed, name in enumerate(("pirate", "poet")):
        write_tiny_adapter(folder / f"{name}.gguf", seed=seed)
    registry = open_registry()

    texts = [
        hear(registry.get(name).submit(request(max_tokens=20))).text
        for name in ("alpha", "alpha+pirate", "alpha+poet", "alpha")
    ]

    assert starter.started == ["alpha"]
    assert texts[0] == texts[3]
    assert len(set(texts)) == 3
    assert registry.get("alpha+poet").status().model == "alpha+poet"
    assert registry.is_ready("alpha+poet")
    assert registry.loaded() == {"alpha": "ready"}


def test_a_replaced_adapter_counts_from_the_next_question_on(
    folder: Path, open_registry: OpenRegistry, starter: Starter
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    path = write_tiny_adapter(folder / "pirate.gguf", seed=1)
    engine = open_registry().get("alpha+pirate")
    before = hear(engine.submit(request(max_tokens=20))).text
    os.replace(write_tiny_adapter(folder / "new" / "pirate.gguf", seed=2), path)  # noqa: PTH105

    assert hear(engine.submit(request(max_tokens=20))).text != before
    assert starter.started == ["alpha"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"width": 32}, "alpha: blk.0.attn_q.weight has another shape in this model"),
        (
            {"architecture": "qwen2"},
            "pirate.gguf is an adapter for a model of the kind qwen2 that is not here.",
        ),
    ],
)
def test_one_that_fits_no_model_is_refused_with_the_reasons(
    folder: Path,
    open_registry: OpenRegistry,
    made: dict[str, str],
    words: str,
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    write_tiny_adapter(folder / "pirate.gguf", **made)

    with pytest.raises(ModelUnsupported) as caught:
        open_registry().get("alpha+pirate")

    assert words in caught.value.message


def test_with_a_model_that_it_does_not_fit_it_is_refused_with_the_reason(
    folder: Path, open_registry: OpenRegistry
) -> None:
    write_tiny_adapter(folder / "pirate.gguf")
    write_tiny_gguf(folder / "alpha.gguf")
    write_tiny_gguf(folder / "small.gguf", num_layers=1)
    registry = open_registry()

    with pytest.raises(ModelUnsupported) as caught:
        registry.get("small+pirate")

    assert (
        caught.value.message == "The adapter pirate is not for small: the model has no blk.1.attn_q.weight."
    )
    with pytest.raises(ModelNotFound, match="There is no model “alpha\\+nobody”"):
        registry.get("alpha+nobody")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            {"without": "blk.1.ffn_down.weight.lora_a"},
            "one half of its change to blk.1.ffn_down.weight is missing",
        ),
        ({"kind": "dora"}, "only LoRA can"),
        ({"alpha": float("nan")}, "adapter.lora.alpha makes no sense"),
    ],
)
def test_a_damaged_one_is_told_and_hides_no_model(
    folder: Path,
    open_registry: OpenRegistry,
    made: dict[str, str],
    words: str,
) -> None:
    write_tiny_gguf(folder / "alpha.gguf")
    write_tiny_adapter(folder / "pirate.gguf", **made)
    registry = open_registry()

    assert [file.name for file in registry.files()] == ["alpha"]
    assert words in registry.summary()
