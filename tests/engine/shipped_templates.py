"""The chat templates that llama.cpp ships, and what they make of a turn with tool calls."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from chat.domain.messages import ChatMessage, Part, TextPart, ToolCall, ToolResult, ToolSpec
from chat.engine.chat_template import ChatTemplate

TEMPLATES = Path(__file__).parent / "templates"
NAMES = sorted(path.stem for path in TEMPLATES.glob("*.jinja"))
WEATHER = ToolSpec(
    "get_weather",
    "Weather of a city",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which"},
            "days": {"type": "integer", "description": "How many"},
            "hours": {"type": "array", "items": {"type": "integer"}, "description": "Which of each"},
        },
        "required": ["city"],
    },
)
SYSTEM = ChatMessage.of("system", "Be brief.")
QUESTION = ChatMessage.of("user", "How is the weather?")
LAST = ChatMessage.of("user", "Thanks & bye <3")

# What ends a turn is a token that the engine takes for the end: it never comes as text.
_TURN_ENDS = ("<|eom_id|>", "<｜hy_eos:opensource｜>", "<|call|>", "<|close|>tools")


@cache
def source(name: str) -> str:
    return (TEMPLATES / f"{name}.jinja").read_text()


@cache
def template(name: str) -> ChatTemplate:
    return ChatTemplate(source(name), "<s>", "</s>")


def prompt(name: str) -> str:
    return template(name).render([SYSTEM, QUESTION], [WEATHER])


def turn_with(name: str, *calls: ToolCall) -> tuple[str, bool]:
    """What the template writes for a turn of these calls, and whether it begins where a prompt ends.

    It is cut out by comparing it with a turn of one strange letter in place of the calls.
    """
    asked = template(name).render([SYSTEM, QUESTION], [WEATHER])
    called, spoken = _render(name, calls), _render(name, (TextPart("§"),))
    end = len(called) - _num_common(called[::-1], spoken[::-1])
    if re.search(r"<[^<>]*$", called[:end]):
        end = called.index(">", end) + 1
    follows = called.startswith(asked)
    start = len(asked) if follows else _num_common(called, spoken)
    if not follows and (cut := re.search(r"<[^<>]*$", called[:start])):
        start = cut.start()
    turn = called[start:end].partition("\n<SPECIAL_12>")[0]
    for ending in _TURN_ENDS:
        turn = turn.removesuffix(ending)
    return turn, follows


def _num_common(left: str, right: str) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))


def _render(name: str, parts: tuple[Part, ...]) -> str:
    """Nemotron's template leaves calls out of the last turn: there the results follow."""
    messages = [SYSTEM, QUESTION, ChatMessage("assistant", parts)]
    if name.startswith("NVIDIA-Nemotron-Nano"):
        results = [ToolResult(call.id, call.name, "cold") for call in parts if isinstance(call, ToolCall)]
        messages = [SYSTEM, QUESTION, ChatMessage("assistant", (*parts, *results)), LAST]
    return template(name).render(messages, [WEATHER])
