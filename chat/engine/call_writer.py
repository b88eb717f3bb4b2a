"""Writes calls as a model would have, for templates that show tools and their results but no calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from chat.domain.messages import ToolCall

WriteCalls = Callable[[Sequence[ToolCall]], str]


def tagged_calls(calls: Sequence[ToolCall]) -> str:
    """As Hermes and Qwen write them."""
    return "\n".join(f"<tool_call>\n{_as_object(call)}\n</tool_call>" for call in calls)


def listed_calls(calls: Sequence[ToolCall]) -> str:
    """As Granite 3 writes them."""
    return f"<|tool_call|>[{', '.join(map(_as_object, calls))}]"


def python_calls(calls: Sequence[ToolCall]) -> str:
    """As LFM2 writes them."""
    written = (
        f"{call.name}({', '.join(f'{key}={as_json(value)}' for key, value in call.arguments.items())})"
        for call in calls
    )
    return f"<|tool_call_start|>[{', '.join(written)}]<|tool_call_end|>"


WRITERS: dict[str, WriteCalls] = {"granite": listed_calls, "lfm2": python_calls}


def as_json(value: object) -> str:
    """Readable JSON of mappings of any kind."""
    return json.dumps(value, ensure_ascii=False, default=dict)


def _as_object(call: ToolCall) -> str:
    return as_json({"name": call.name, "arguments": call.arguments})
