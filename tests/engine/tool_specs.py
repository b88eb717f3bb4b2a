"""Tools with schemas of all kinds, and whether a call keeps to them."""

from __future__ import annotations

from chat.domain.messages import ToolCall, ToolSpec
from tests.engine.json_walk import is_valid

SAY = ToolSpec(
    "say",
    "Say something",
    {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
)
NOW = ToolSpec("now", "The time", {"type": "object", "properties": {}, "additionalProperties": False})
PLAN = ToolSpec(
    "make_plan",
    "Plan a journey",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 1, "maxLength": 12},
            "sky": {"enum": ["sunny", 'so "so" </x>', "3"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 31},
            "factor": {"type": "number"},
            "day": {"type": "string", "format": "date"},
            "hours": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
            "note": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
            "level": {"type": ["integer", "null"]},
            "where": {"$ref": "#/$defs/place"},
            "is_return": {"type": "boolean"},
        },
        "required": ["city", "days", "hours", "where"],
        "additionalProperties": False,
        "$defs": {
            "place": {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "name": {"type": "string"}},
                "required": ["x"],
                "additionalProperties": False,
            }
        },
    },
)
# Without a text of any length: a random model might never come to its end.
BOOK = ToolSpec(
    "book_train",
    "Book a train",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 1, "maxLength": 12},
            "class": {"enum": ["first", "second", 3]},
            "days": {"type": "integer", "minimum": 1, "maximum": 31},
            "hours": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 23},
                "minItems": 1,
                "maxItems": 3,
            },
            "seat": {
                "type": "object",
                "properties": {"is_window": {"type": "boolean"}, "row": {"type": ["integer", "null"]}},
                "required": ["is_window"],
                "additionalProperties": False,
            },
        },
        "required": ["city", "days", "hours"],
        "additionalProperties": False,
    },
)
TOOLS = (SAY, NOW, PLAN)
BY_NAME = {tool.name: tool for tool in (*TOOLS, BOOK)}


def keeps_to(call: ToolCall) -> bool:
    """True when it calls one of the tools, with arguments that fit."""
    tool = BY_NAME.get(call.name)
    return tool is not None and is_valid(dict(call.arguments), tool.parameters, tool.parameters)
