"""JSON by grammar from real engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from chat.engine.json_grammar import json_grammar
from tests.engine.json_walk import WEATHER, is_valid
from tests.engine.talk import ask, hear

STARTER = Path(__file__).parents[2] / "models" / "starter.gguf"


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(
    "schema", [WEATHER, {**WEATHER, "required": []}], ids=["weather", "nothing-required"]
)
def test_a_random_model_writes_what_fits(shared_engine: LlamaEngine, schema: Any, seed: int | None) -> None:
    params = {} if seed is None else {"temperature": 1.0, "seed": seed}

    heard = hear(shared_engine.submit(ask("hello", grammar=json_grammar(schema), max_tokens=900, **params)))

    assert heard.end.reason == "stop"
    assert is_valid(json.loads(heard.text), schema, schema)


@pytest.fixture(scope="module")
def starter() -> Iterator[LlamaEngine]:
    engine = LlamaEngine(STARTER, EngineConfig(num_slots=2))
    yield engine
    engine.close()


@pytest.mark.skipif(not STARTER.exists(), reason="the starter model is not there")
class TestStarter:
    @pytest.mark.parametrize("params", [{}, {"temperature": 0.8, "seed": 1}, {"temperature": 1.5, "seed": 2}])
    @pytest.mark.parametrize(
        "schema",
        [
            WEATHER,
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 99},
                "minItems": 3,
                "maxItems": 5,
            },
            {"properties": {"answer": {"type": "string", "maxLength": 60}}, "required": ["answer"]},
            {"type": "string", "format": "date"},
            {"enum": ["Paris", "Rome", "Madrid"]},
        ],
        ids=["weather", "numbers", "answer", "date", "choice"],
    )
    def test_it_writes_what_fits(self, starter: LlamaEngine, schema: Any, params: dict[str, Any]) -> None:
        request = ask(
            "What is the capital of France?",
            system="",
            grammar=json_grammar(schema),
            max_tokens=500,
            **params,
        )

        heard = hear(starter.submit(request))

        assert heard.end.reason == "stop", heard.text
        assert is_valid(json.loads(heard.text), schema, schema), heard.text

    def test_any_object_is_json_when_it_ends(self, starter: LlamaEngine) -> None:
        heard = hear(starter.submit(ask("Hello!", system="", grammar=json_grammar(None), max_tokens=500)))

        if heard.end.reason == "stop":
            assert isinstance(json.loads(heard.text), dict)
