"""Calls of real engines: a random model, forced into a call, writes one that fits its tools."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.domain.messages import ToolCall, ToolSpec
from chat.domain.params import GenerationRequest
from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from tests.engine.conftest import StartEngine, StartProcess
from tests.engine.shipped_templates import source
from tests.engine.talk import Heard, ask, hear
from tests.engine.tiny_gguf import CHATML_TEMPLATE, write_tiny_gguf
from tests.engine.tool_specs import BOOK, NOW, keeps_to

STARTER = Path(__file__).parents[2] / "models" / "starter.gguf"
NUM_CALLS = 10
TOOLS = (NOW, BOOK)
# A template of each family, what opens a call, and the control tokens that its models have.
OPENED = {
    "hermes": ("Qwen-Qwen2.5-7B-Instruct", "<tool_call>", ("<tool_call>", "</tool_call>", "<|im_end|>")),
    "qwen-coder": ("Qwen3-Coder", "<tool_call>\n<function=book_train>", ("<|im_end|>",)),
    "glm": ("GLM-4.6", "<tool_call>", ("</tool_call>", "<arg_key>", "</arg_key>", "<|user|>")),
    "llama3": ("meta-llama-Llama-3.1-8B-Instruct", '{"name": "b', ("<|eot_id|>",)),
    "mistral": ("mistralai-Mistral-Nemo-Instruct-2407", "[TOOL_CALLS]", ("[TOOL_CALLS]", "</s>")),
    "gemma": ("google-gemma-4-31B-it", "<|tool_call>", ('<|"|>', "<tool_call|>", "<turn|>")),
    "deepseek": (
        "deepseek-ai-DeepSeek-V3.1",
        "<｜tool▁call▁begin｜>",
        ("<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜end▁of▁sentence｜>"),
    ),
    "lfm2": ("LFM2.5-8B-A1B", "<|tool_call_start|>[", ("<|tool_call_end|>", "<|im_end|>")),
}


def write_model(path: Path, name: str, special: tuple[str, ...], **settings: float) -> Path:
    tokens = ("<|im_start|>", *special)
    return write_tiny_gguf(
        path, template=source(name), special_tokens=tokens, context_tokens=8192, alphabet="prose", **settings
    )


def first_call(heard: Heard) -> ToolCall:
    assert heard.calls, heard
    return heard.calls[0]


@pytest.mark.parametrize("family", OPENED)
def test_a_random_model_writes_calls_that_fit(start_engine: StartEngine, tmp_path: Path, family: str) -> None:
    name, opening, special = OPENED[family]
    engine = start_engine(write_model(tmp_path / "model.gguf", name, special, end_bias=2.0))

    asked = [
        engine.submit(
            ask(f"go {seed}", tools=TOOLS, reply_prefix=opening, max_tokens=400, temperature=1.2, seed=seed)
        )
        for seed in range(NUM_CALLS)
    ]
    for generation in asked:
        call = first_call(hear(generation, until=lambda heard: bool(heard.calls), timeout_s=120))
        generation.cancel()
        assert keeps_to(call), call


@pytest.fixture(scope="module")
def random_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaEngine]:
    """One that never ends by itself."""
    path = tmp_path_factory.mktemp("guarded") / "model.gguf"
    engine = LlamaEngine(write_tiny_gguf(path, context_tokens=4096, template=CHATML_TEMPLATE), EngineConfig())
    yield engine
    engine.close()


def calling(text: str, tools: tuple[ToolSpec, ...] = (BOOK,), **params: float) -> GenerationRequest:
    return ask(text, tools=tools, reply_prefix="<tool_call>", max_tokens=600, **params)


def test_free_neighbours_write_what_they_write_alone(random_engine: LlamaEngine) -> None:
    alone = hear(random_engine.submit(ask("hello", max_tokens=200))).text

    held = [random_engine.submit(calling(f"go {i}", temperature=1.0, seed=i)) for i in range(4)]
    free = hear(random_engine.submit(ask("hello", max_tokens=200)))

    assert free.text == alone
    assert all(keeps_to(first_call(hear(each))) for each in held)


def test_a_model_that_wants_to_end_completes_its_call_first(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = start_engine(write_tiny_gguf(tmp_path / "brief.gguf", context_tokens=4096, end_bias=9.0))

    heard = hear(engine.submit(calling("hello")))

    assert keeps_to(first_call(heard))
    assert heard.end is not None
    assert heard.end.reason == "tool_calls"


def test_after_a_crash_a_call_goes_on_within_its_grammar(start_process: StartProcess, tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", context_tokens=4096, end_bias=2.0)
    engine = start_process(path)
    whole = first_call(hear(engine.submit(calling("hello"))))
    generation = engine.submit(calling("hello"))

    hear(generation, until=lambda heard: "writing" in heard.state_names)
    os.kill(engine.pid, signal.SIGKILL)
    heard = hear(generation)

    assert first_call(heard).arguments == whole.arguments
    assert "restarting" in heard.state_names


@pytest.mark.skipif(not STARTER.exists(), reason="the starter model is not there")
def test_the_starter_model_calls_only_what_it_is_offered(start_engine: StartEngine) -> None:
    spec = ToolSpec(
        "calculator",
        "Work out an arithmetic expression. Operators + - * / // % ** and brackets; functions sqrt, abs, round, min, "
        "max.",
        {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
    )
    engine = start_engine(STARTER)

    heard = hear(engine.submit(ask("What is 37 * 48?", system="", tools=(spec,), max_tokens=100)))

    assert first_call(heard).name == "calculator"
    assert "37" in first_call(heard).arguments["expression"]
