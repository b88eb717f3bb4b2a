"""What the model is told of an MCP server's tool. Another program wrote it, so name, words and schema are bounded.

References between the parts of a schema are followed here, never fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, SchemaError
from jsonschema.validators import validator_for

from chat.domain.messages import ToolSpec

MAX_NAME_CHARS = 64
MAX_DESCRIPTION_CHARS = 1024
MAX_SCHEMA_CHARS = 16_384
MAX_SCHEMA_DEPTH = 24
# With every reference written out: a chain of doubling references is small and means millions of steps.
MAX_SCHEMA_NODES = 4000

_UNKNOWN_REFERENCES = {"$dynamicRef", "$recursiveRef"}
_NO_FORMATS = FormatChecker(formats=())


class BadSchema(ValueError):
    """Why a tool is not offered, in words for the log."""


def tool_name(server: str, tool: str) -> str:
    """As models may write it: letters, digits, _ and -, at most 64 of them. Two tools may come to the same name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", f"{server}_{tool}")[:MAX_NAME_CHARS]


def checked_spec(name: str, description: str | None, schema: Mapping[str, Any]) -> ToolSpec:
    """Raises: BadSchema for one that no arguments could be checked against in good time."""
    words = " ".join("".join(c if c.isprintable() else " " for c in description or "").split())
    return ToolSpec(name, words[:MAX_DESCRIPTION_CHARS], _checked_schema(schema))


def _checked_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(schema))
    except (RecursionError, ValueError) as exc:
        raise BadSchema("its schema is nested too deep") from exc
    if size > MAX_SCHEMA_CHARS:
        raise BadSchema(f"its schema has {size:,} characters; at most {MAX_SCHEMA_CHARS:,} are taken")
    full = {"type": "object", "properties": {}, **schema}
    if full["type"] != "object" or not isinstance(full["properties"], dict):
        raise BadSchema("its schema does not describe an object")
    for num_nodes, _ in enumerate(_nodes(full, full, 0)):
        if num_nodes >= MAX_SCHEMA_NODES:
            raise BadSchema(
                f"its schema has more than {MAX_SCHEMA_NODES:,} parts with its references written out"
            )
    try:
        validator_for(full, default=Draft202012Validator).check_schema(full, format_checker=_NO_FORMATS)
    except SchemaError as exc:
        raise BadSchema(f"its schema is not a JSON schema: {exc.message[:200]}") from exc
    return full


def _nodes(node: Any, root: Mapping[str, Any], depth: int) -> Iterator[Any]:
    """Every object and list of a schema, those behind references again for each reference."""
    if depth > MAX_SCHEMA_DEPTH:
        raise BadSchema(f"its schema is nested deeper than {MAX_SCHEMA_DEPTH}, or refers to itself")
    if isinstance(node, list):
        yield node
        for each in node:
            yield from _nodes(each, root, depth + 1)
    if isinstance(node, dict):
        yield node
        if node.keys() & _UNKNOWN_REFERENCES:
            raise BadSchema("its schema has dynamic references")
        for key, each in node.items():
            if key == "$ref" and isinstance(each, str):
                yield from _nodes(_target(each, root), root, depth + 1)
            elif depth > 0 or key not in ("$defs", "definitions"):  # these count where they are referred to
                yield from _nodes(each, root, depth + 1)


def _target(reference: str, root: Mapping[str, Any]) -> Any:
    """Raises: BadSchema for what is not in this schema."""
    if not reference.startswith("#/"):
        raise BadSchema(f"its schema refers to {reference[:100]!r}, which is not part of it")
    found: Any = root
    for step in reference[2:].split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    if found is None:
        raise BadSchema(f"its schema refers to {reference[:100]!r}, which is not part of it")
    return found
