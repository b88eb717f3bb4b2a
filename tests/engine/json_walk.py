"""Random walks through grammars of JSON, and a small validator of what comes of them."""

from __future__ import annotations

import json
import math
import random
from typing import Any

from chat.engine.gbnf import parse_grammar
from chat.engine.grammar_matcher import GrammarMatcher

ALPHABET = [*(chr(code) for code in range(32, 127)), "\n", "\t", "ä", "ü", "🌻"]
MAX_WALK = 600


def walk(grammar: str, chance: random.Random) -> str | None:
    """A random text that the grammar takes; None for one that did not come to an end."""
    way = GrammarMatcher(parse_grammar(grammar))
    text = ""
    while len(text) < MAX_WALK:
        if way.is_finished or (way.may_end and chance.random() < 0.2):
            return text
        # Ends are likelier than they are among all characters, or strings would never end.
        allowed = [each for each in ALPHABET if way.allows(each.encode())]
        ends = [each for each in allowed if each in '"}]']
        character = chance.choice(ends if ends and chance.random() < 0.3 else allowed)
        assert way.accept(character.encode())
        text += character
    return None


def is_valid(value: Any, schema: Any, root: Any) -> bool:
    """A small validator, for what `json_grammar` supports."""
    if schema is True:
        return True
    if "$ref" in schema:
        found = root
        for key in schema["$ref"].split("/")[1:]:
            found = found[key]
        return is_valid(value, found, root)
    rules = [
        "const" not in schema or same(value, schema["const"]),
        "enum" not in schema or any(same(value, each) for each in schema["enum"]),
        "type" not in schema or any(is_of(value, kind) for kind in as_list(schema["type"])),
        "anyOf" not in schema or any(is_valid(value, each, root) for each in schema["anyOf"]),
        "oneOf" not in schema or any(is_valid(value, each, root) for each in schema["oneOf"]),
        all(is_valid(value, each, root) for each in schema.get("allOf", [])),
    ]
    if isinstance(value, str):
        rules.append(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        rules.append(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        rules.append(
            schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
        )
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        rules.append(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9))
        rules += [is_valid(each, part, root) for each, part in zip(value, prefix, strict=False)]
        rules += [is_valid(each, schema.get("items", True), root) for each in value[len(prefix) :]]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        rules.append(set(schema.get("required", [])) <= value.keys())
        rules += [is_valid(each, known[name], root) for name, each in value.items() if name in known]
        rules += [
            others is not False and is_valid(value[name], others, root)
            for name in value.keys() - known.keys()
        ]
    return all(rules)


def as_list(kinds: Any) -> list[str]:
    return kinds if isinstance(kinds, list) else [kinds]


def is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    types = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "null": type(None),
    }
    return kind in types and isinstance(value, types[kind])


def same(left: Any, right: Any) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


WEATHER = {
    "type": "object",
    "title": "Weather",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 20},
        "sky": {"enum": ["sunny", "cloudy", 'so "so"', "a\\b\nc", 3, None]},
        "degrees": {"type": "integer", "minimum": -40, "maximum": 55},
        "rain": {"type": "number", "minimum": 0, "maximum": 1},
        "hours": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
        "note": {"anyOf": [{"type": "string", "maxLength": 8}, {"type": "null"}]},
    },
    "required": ["city", "sky", "degrees"],
    "additionalProperties": False,
}
