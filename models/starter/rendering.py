"""Conversations through the Jinja chat template that travels in the GGUF file."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2

from starter.conversation import Conversation, Turn

TEMPLATE = Path(__file__).with_name("chat_template.jinja").read_text(encoding="utf-8")


def messages_of(conversation: Conversation) -> list[dict[str, object]]:
    """The conversation as the messages that a chat template takes."""
    system: list[dict[str, object]] = (
        [{"role": "system", "content": conversation.system}] if conversation.system else []
    )
    return system + [_message(turn) for turn in conversation.turns]


def compiled(template: str) -> jinja2.Template:
    """The template in the environment that llama.cpp and transformers give it."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(template)


def _message(turn: Turn) -> dict[str, object]:
    if turn.call is None:
        return {"role": turn.role, "content": turn.text}
    function = {"name": turn.call.name, "arguments": turn.call.arguments}
    return {
        "role": turn.role,
        "content": "",
        "tool_calls": [{"type": "function", "id": "call", "function": function}],
    }
