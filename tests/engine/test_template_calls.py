"""Calls there and back: what each shipped template writes for a call is read as this call, and fits its grammar."""

from __future__ import annotations

from typing import Any

import pytest

from chat.domain.messages import ChatMessage, ToolCall, ToolSpec
from chat.engine.call_format import CallFormat, call_grammar
from chat.engine.channel_parser import ChannelStyle
from chat.engine.families import FAMILIES, STYLES, family_of
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.pieces import CallPiece, TextPiece
from chat.engine.reply_prefix import opens_thinking
from chat.engine.tool_calls import ToolCallParser
from tests.engine.shipped_templates import (
    NAMES,
    QUESTION,
    SYSTEM,
    WEATHER,
    prompt,
    source,
    template,
    turn_with,
)

PARIS = {"city": 'Par"is <b>', "days": 3, "hours": [9, 18]}
ROME = {"city": "Röm"}
CALLS = (ToolCall("1", "get_weather", PARIS), ToolCall("2", "get_weather", ROME))
FAMILY_OF = {
    "Apertus-8B-Instruct": "apertus",
    "Apriel-1.6-15b-Thinker-fixed": "apriel",
    "Bielik-11B-v3.0-Instruct": "hermes",
    "ByteDance-Seed-OSS": "seed",
    "Cohere2MoE": "cohere",
    "CohereForAI-c4ai-command-r-plus-tool_use": "command-r",
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": "cohere",
    "GLM-4.6": "glm",
    "GLM-4.7-Flash": "glm",
    "GigaChat3-10B-A1.8B": "gigachat-3.0",
    "GigaChat3.1-10B-A1.8B": "gigachat",
    "HuggingFaceTB-SmolLM3-3B": "hermes",
    "Kimi-K2-Instruct": "kimi",
    "Kimi-K2-Thinking": "kimi",
    "Kimi-K3": "kimi-k3",
    "LFM2-8B-A1B": "lfm2",
    "LFM2.5-8B-A1B": "lfm2",
    "LFM2.5-Instruct": "lfm2",
    "MiMo-VL": "hermes",
    "MiniMax-M1": "minimax-m1",
    "MiniMax-M2": "minimax-m2",
    "MiniMax-M3": "minimax-m3",
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral-args",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "qwen-coder",
    "NVIDIA-Nemotron-Nano-v2": "nemotron",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": "hermes",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes",
    "Qwen-QwQ-32B": "hermes",
    "Qwen-Qwen2.5-7B-Instruct": "hermes",
    "Qwen-Qwen3-0.6B": "hermes",
    "Qwen3-Coder": "qwen-coder",
    "Qwen3.5-4B": "qwen-coder",
    "Reka-Edge": "hermes",
    "Spark2.5": "glm",
    "StepFun3.5-Flash": "qwen-coder",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "deepseek-r1",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "deepseek-r1",
    "deepseek-ai-DeepSeek-V3.1": "deepseek",
    "deepseek-ai-DeepSeek-V3.2": "deepseek-dsml",
    "deepseek-ai-DeepSeek-V4": "deepseek-dsml",
    "deepseek-ai-DeepSeek-V4-Flash-0731": "deepseek-dsml",
    "fireworks-ai-llama-3-firefunction-v2": "firefunction",
    "google-gemma-2-2b-it": "hermes",
    "google-gemma-4-31B-it": "gemma4",
    "google-gemma-4-31B-it-interleaved": "gemma4",
    "ibm-granite-granite-3.3-2B-Instruct": "granite",
    "ibm-granite-granite-4.0": "hermes",
    "ibm-granite-granite-4.1": "hermes",
    "inclusionai-ling-3.0-flash": "glm",
    "llama-cpp-deepseek-r1": "deepseek-r1",
    "llama-cpp-rwkv-world": "hermes",
    "meetkai-functionary-medium-v3.1": "functionary",
    "meetkai-functionary-medium-v3.2": "functionary-3.2",
    "meta-llama-Llama-3.1-8B-Instruct": "llama3",
    "meta-llama-Llama-3.2-3B-Instruct": "llama3",
    "meta-llama-Llama-3.3-70B-Instruct": "llama3",
    "microsoft-Phi-3.5-mini-instruct": "hermes",
    "mistralai-Ministral-3-14B-Reasoning-2512": "magistral",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral",
    "moonshotai-Kimi-K2": "kimi",
    "muse-glimmer": "muse",
    "openai-gpt-oss-120b": "gpt-oss",
    "openbmb-MiniCPM5-1B": "minicpm",
    "poolside-Laguna-S-2.1": "glm",
    "poolside-Laguna-XS-2.1": "glm",
    "poolside-Laguna-XS.2": "glm",
    "tencent-Hy3": "hunyuan",
    "unsloth-Apriel-1.5": "apriel",
    "unsloth-mistral-Devstral-Small-2507": "mistral-args",
    "upstage-Solar-Open-100B": "solar",
}
# Their calls are read, but a grammar would keep them from answering, or there is none for nested tags.
FREE = ("command-r", "minimax-m3")


def read(name: str, turn: str, *, follows: bool) -> list[Any]:
    """The arguments of calls, and the words, fed letter by letter."""
    family = FAMILY_OF[name]
    parser = ToolCallParser(family, follows and opens_thinking(family, prompt(name)), [WEATHER])
    pieces = [piece for letter in turn for piece in parser.feed(letter)] + parser.finish()
    return [
        piece.call.arguments if isinstance(piece, CallPiece) else piece.text
        for piece in pieces
        if isinstance(piece, (CallPiece, TextPiece))
    ]


def forms(family: str) -> tuple[CallFormat, ...]:
    style = STYLES[family]
    if isinstance(style, ChannelStyle):
        return (style.call,)
    return (*style.calls, *([style.bare] if style.bare else []))


def test_every_family_has_a_template() -> None:
    assert sorted(FAMILY_OF) == NAMES
    assert set(FAMILY_OF.values()) == set(FAMILIES)


@pytest.mark.parametrize("name", NAMES)
def test_the_template_shows_the_family(name: str) -> None:
    assert family_of(source(name)) == FAMILY_OF[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_the_template_writes_is_read_back(name: str) -> None:
    turn, follows = turn_with(name, CALLS[0])

    assert read(name, turn, follows=follows) == [PARIS]


@pytest.mark.parametrize("name", NAMES)
def test_so_are_two_calls_in_one_turn(name: str) -> None:
    turn, follows = turn_with(name, *CALLS)
    if turn.count("get_weather") < 2:
        pytest.skip("this template writes one call a turn")
    if "user" in turn or "assistant" in turn:
        pytest.skip("this template begins a turn for each call")

    assert read(name, turn, follows=follows) == [PARIS, ROME]


@pytest.mark.parametrize("name", [name for name in NAMES if FAMILY_OF[name] not in FREE])
def test_the_grammar_takes_what_the_template_writes(name: str) -> None:
    turn, _ = turn_with(name, CALLS[0])
    style = STYLES[FAMILY_OF[name]]
    turn = turn if isinstance(style, ChannelStyle) else style.lead + turn

    fitting = []
    for form in forms(FAMILY_OF[name]):
        _, found, inside = turn.partition(form.open) if form.open else ("", "{", turn)
        grammar = call_grammar(form, [WEATHER])
        assert grammar is not None
        fitting.append(found and GrammarMatcher(grammar).accept(inside.strip().encode()))

    assert any(fitting), turn


@pytest.mark.parametrize("name", NAMES)
def test_a_turn_of_words_is_read_as_words(name: str) -> None:
    parser = ToolCallParser(FAMILY_OF[name], tools=[WEATHER])
    style = STYLES[FAMILY_OF[name]]
    answer = "" if isinstance(style, ChannelStyle) else style.answer

    pieces = [*parser.feed(f"{answer}It is cold < 3, [really]."), *parser.finish()]

    assert (
        "".join(piece.text for piece in pieces if isinstance(piece, TextPiece)) == "It is cold < 3, [really]."
    )


AWKWARD = (
    ToolSpec("now", "The time", {"type": "object", "properties": {}}),
    ToolSpec("nothing", "No schema", {}),
    ToolSpec(
        "search",
        "No descriptions",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "kinds": {"type": "array", "items": {"enum": ["a", "b"]}},
                "where": {"type": "object", "properties": {"x": {"type": ["integer", "null"]}}},
                "any": {},
                "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        },
    ),
)


@pytest.mark.parametrize("name", NAMES)
def test_tools_of_all_kinds_are_shown(name: str) -> None:
    shown = template(name).render(
        [SYSTEM, QUESTION, ChatMessage("assistant", (ToolCall("1", "now"),))], AWKWARD
    )

    assert all(word in shown for word in ("The time", "No schema", "No descriptions", "query"))
