"""Gives the values of a call their types: between tags all is text, and the tool's schema says what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat.domain.errors import InvalidInput
from chat.engine.calls import Untyped, json_start
from chat.engine.json_schema import TYPES, SchemaReader, is_of, kinds_of
from chat.engine.literals import literal_value

MAX_DEPTH = 16

_ANY = frozenset(TYPES)


def typed(value: Any, schema: object, root: object) -> Any:
    """`value` with a type for each `Untyped` in it. A `$ref` in `schema` is looked up in `root`."""
    match value:
        case Untyped():
            return _resolved(value.text, types_of(schema, root))
        case Mapping():
            inner = schema.get("properties") if isinstance(schema, Mapping) else None
            inner = inner if isinstance(inner, Mapping) else {}
            return {key: typed(each, inner.get(key), root) for key, each in value.items()}
        case list():
            inner = schema.get("items") if isinstance(schema, Mapping) else None
            return [typed(each, inner, root) for each in value]
    return value


def types_of(schema: object, root: object, depth: int = 0) -> frozenset[str]:
    """The types that a schema lets a value have; all where it does not say."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return _ANY
    if "$ref" in schema:
        try:
            return types_of(SchemaReader(root).find(schema["$ref"], "#"), root, depth + 1)
        except InvalidInput:
            return _ANY
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), (list, tuple)):
            return frozenset().union(*(types_of(each, root, depth + 1) for each in schema[word]))
    if isinstance(schema.get("allOf"), (list, tuple)):
        return _ANY.intersection(*(types_of(each, root, depth + 1) for each in schema["allOf"]))
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(choices, (list, tuple)):
        return frozenset(kind for kind in TYPES if any(is_of(choice, kind) for choice in choices))
    kinds = kinds_of(schema)
    named = frozenset([kinds] if isinstance(kinds, str) else kinds or ()) & _ANY
    return named or _ANY


def _resolved(text: str, types: frozenset[str]) -> Any:
    """Text stays text where the schema wants text, and where it means nothing else."""
    if types == {"string"}:
        return text
    is_found, value = _read(text.strip())
    if not is_found or isinstance(value, str):
        return text
    fits = any(is_of(value, kind) for kind in types)
    return value if fits or "string" not in types else text


def _read(text: str) -> tuple[bool, Any]:
    """Whether it is JSON, or a list or dict as Python writes it, and the value."""
    decoded = json_start(text)
    if decoded is not None and not decoded[1].strip():
        return True, decoded[0]
    value = literal_value(text) if text[:1] in ("{", "[") else None
    return value is not None, value
