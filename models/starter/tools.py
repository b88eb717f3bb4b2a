"""The tools on offer in a sample, as the JSON that the chat template shows."""

from __future__ import annotations

import json

from starter.draw import Draw

CALCULATOR = (
    "calculator",
    "Work out an arithmetic expression. Operators + - * / // % ** and brackets; functions sqrt, abs, round, min, max.",
    "expression",
)
CLOCK = (
    "clock",
    "The current date, time and weekday. timezone is an IANA name such as Europe/Paris; empty means the server's own.",
    "timezone",
)
_OTHERS = (
    ("search_documents", "Find passages in the person's documents.", "query"),
    ("fetch_url", "Read a page of the web.", "url"),
    ("weather", "The weather at a place.", "place"),
    ("send_mail", "Send a message by mail.", "text"),
)


def offered(draw: Draw, *, calculator: bool, clock: bool) -> tuple[str, ...]:
    """Schemas of the tools, sometimes with others among them, in any order."""
    chosen = [CALCULATOR] * calculator + [CLOCK] * clock
    if draw.chance(0.12):
        chosen += draw.sample(_OTHERS, draw.between(1, 2))
    if draw.chance(0.3):
        draw.rng.shuffle(chosen)
    has_default = draw.chance(0.7)
    return tuple(schema(*tool, has_default=has_default) for tool in chosen)


def schema(name: str, description: str, parameter: str, *, has_default: bool) -> str:
    """One tool as OpenAI-style JSON; the clock's parameter is optional, its default shown or not."""
    optional = name == "clock"
    kind: dict[str, str] = {"type": "string"}
    if optional and has_default:
        kind["default"] = ""
    parameters: dict[str, object] = {"type": "object", "properties": {parameter: kind}}
    if not optional:
        parameters["required"] = [parameter]
    function = {"name": name, "description": description, "parameters": parameters}
    return json.dumps({"type": "function", "function": function})
