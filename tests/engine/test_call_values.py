"""Values that models write between tags, where all is text: the schema says what they are."""

from __future__ import annotations

from typing import Any

import pytest

from chat.domain.messages import ToolSpec
from chat.engine.pieces import CallPiece
from chat.engine.tool_calls import ToolCallParser

WRITE = ToolSpec(
    "write",
    "Write a file",
    {
        "type": "object",
        "properties": {
            "content": {"type": "string"},
            "lines": {"type": "array", "items": {"type": "integer"}},
            "mode": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "owner": {"type": ["string", "null"]},
        },
    },
)


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("content", '{"a": 1}', '{"a": 1}'),
        ("content", "3", "3"),
        ("content", "\n  two\n\nlines \n", "\n  two\n\nlines \n"),
        ("content", '["</parameter>"]', '["</parameter>"]'),
        ("lines", "[1, 2]", [1, 2]),
        ("lines", "[1, 2", "[1, 2"),
        ("mode", "null", None),
        ("mode", "8", 8),
        ("owner", "8", "8"),
        ("owner", "null", None),
        ("unknown", "8", 8),
        ("unknown", "{'a': [True, None]}", {"a": [True, None]}),
        ("unknown", "eight", "eight"),
    ],
)
def test_values_between_tags_get_the_type_of_the_schema(name: str, written: str, value: Any) -> None:
    parser = ToolCallParser("qwen-coder", tools=[WRITE])

    (piece,) = parser.feed(
        f"<tool_call>\n<function=write>\n<parameter={name}>\n{written}\n</parameter>\n</function>\n</tool_call>"
    )

    assert isinstance(piece, CallPiece)
    assert piece.call.arguments == {name: value}
