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
    return tuple(schema(*tool) for tool in chosen)


def schema(name: str, description: str, parameter: str) -> str:
    """One tool as OpenAI-style JSON, as Parley writes it; only the clock's parameter is optional."""
    parameters = {
        "type": "object",
        "properties": {parameter: {"type": "string"}},
        "required": [] if name == CLOCK[0] else [parameter],
    }
    function = {"name": name, "description": description, "parameters": parameters}
    return json.dumps({"type": "function", "function": function})
