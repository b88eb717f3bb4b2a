"""Finds its way in a JSON schema: references, parts that hold at once, bounds. Knows no grammars.

Everything is checked: a schema comes from a stranger. `at` is always a place in the schema, as a JSON pointer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from chat.domain.errors import InvalidInput
from chat.engine.gbnf import MAX_REPEATS

MAX_DEPTH = 32
MAX_SCHEMAS = 1000

Schema = Mapping[str, Any]

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": Mapping,
    "array": (list, tuple),
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
# What gives the type away where a schema does not name it.
_SIGNS = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
COMBINED = ("anyOf", "oneOf", "allOf")
# The words that a grammar keeps to; all others but the unsupported only describe.
CHECKED = {
    "type",
    "enum",
    "const",
    "$ref",
    *COMBINED,
    *(word for words in _SIGNS.values() for word in words),
}
_UNSUPPORTED = (
    *("pattern", "patternProperties", "propertyNames", "minProperties", "maxProperties", "multipleOf"),
    *("dependentRequired", "dependentSchemas", "dependencies", "if", "then", "else", "not", "uniqueItems"),
    *("contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties"),
    *("$dynamicRef", "$recursiveRef"),
)


def refuse(at: str, problem: str) -> NoReturn:
    """Raises: InvalidInput naming the place."""
    raise InvalidInput(f"The JSON schema at {at[:200]}: {problem[:200]}")


class SchemaReader:
    """One schema. All methods raise InvalidInput naming the place for what is no schema or not supported."""

    def __init__(self, root: object) -> None:
        self.root = root
        self._num_schemas = 0

    def checked(self, schema: object, at: str, depth: int) -> Schema:
        """A part that is a schema with supported words only."""
        self._count(at)
        if depth > MAX_DEPTH:
            refuse(at, f"it is nested more than {MAX_DEPTH} deep.")
        if schema is False:
            refuse(at, "“false” fits nothing.")
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            refuse(at, "a schema is an object.")
        for word in _UNSUPPORTED:
            if schema.get(word, False) is not False:
                refuse(at, f"“{word}” is not supported.")
        return schema

    def find(self, pointer: object, at: str) -> object:
        """What a `$ref` points to."""
        if not isinstance(pointer, str) or not (pointer == "#" or pointer.startswith("#/")):
            refuse(at, f"“$ref” {str(pointer)[:80]!r} is not inside this schema.")
        found: Any = self.root
        for word in pointer.split("/")[1:]:
            key = unquote(word).replace("~1", "/").replace("~0", "~")
            if isinstance(found, (list, tuple)) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, Mapping) and key in found:
                found = found[key]
            else:
                refuse(at, f"“$ref” {pointer[:80]!r} leads nowhere.")
        return found

    def merged(self, schema: Schema, word: str, parts: list[Any], at: str) -> object:
        """`schema` without `word` and all `parts` in one. A part alone stays as it is."""
        rest = {key: value for key, value in schema.items() if key != word}
        if len(parts) == 1 and not CHECKED & rest.keys():
            return parts[0]
        merged: dict[str, Any] = {}
        num_holders = 0
        for part in [rest, *map(self._followed, parts)]:
            if not isinstance(part, Mapping):
                refuse(at, f"“{word}” can only join schemas that are objects.")
            num_holders += "properties" in part or "additionalProperties" in part
            for key in part:
                merged[key] = _joined(key, merged[key], part[key], at) if key in merged else part[key]
        if num_holders > 1 and merged.get("additionalProperties", True) is not True:
            refuse(at, f"“additionalProperties” inside “{word}” is not supported.")
        return merged

    def branches(self, schema: Schema, word: str, at: str) -> list[object]:
        """The schemas of `anyOf` or `oneOf`, each with what stands beside them."""
        return [self.merged(schema, word, [branch], at) for branch in listed(schema, word, at)]

    def _followed(self, part: object) -> object:
        """What a bare reference means; recursion ends by the number of schemas."""
        while (
            isinstance(part, Mapping)
            and isinstance(part.get("$ref"), str)
            and not (CHECKED & part.keys()) - {"$ref"}
        ):
            self._num_schemas += 1
            if self._num_schemas > MAX_SCHEMAS or not part["$ref"].startswith("#"):
                break
            part = self.find(part["$ref"], part["$ref"])
        return part

    def _count(self, at: str) -> None:
        self._num_schemas += 1
        if self._num_schemas > MAX_SCHEMAS:
            refuse(at, f"it has more than {MAX_SCHEMAS} parts.")


def listed(schema: Schema, word: str, at: str) -> list[Any]:
    """The list under `word`. Raises: InvalidInput when there is none, or nothing in it."""
    found = schema[word]
    if not isinstance(found, (list, tuple)) or not found:
        refuse(at, f"“{word}” must be a list with something in it.")
    return list(found)


def kinds_of(schema: Schema) -> Any:
    """The type or types as they are written, or given away by the other words; None for any."""
    return schema.get("type") or next(
        (kind for kind, signs in _SIGNS.items() if any(sign in schema for sign in signs)), None
    )


def sizes(schema: Schema, least: str, most: str, at: str) -> tuple[int, int | None]:
    """The two bounds of a length, None for no upper one. Raises: InvalidInput."""
    low, high = schema.get(least, 0), schema.get(most)
    for word, value in ((least, low), (most, high if high is not None else 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            refuse(at, f"“{word}” must be a whole number from 0 on.")
    if low > MAX_REPEATS:
        refuse(at, f"“{least}” is more than {MAX_REPEATS}.")
    if high is not None and high < low:
        refuse(at, f"“{most}” is less than “{least}”.")
    return low, None if high is None else min(high, MAX_REPEATS)


def is_of(value: object, kind: str) -> bool:
    """True when a JSON value has this type of JSON schema."""
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[kind])


def _joined(key: str, left: Any, right: Any, at: str) -> Any:
    if left == right or key not in CHECKED:
        return left
    if key == "required" and isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return [*left, *right]
    if key == "properties" and isinstance(left, Mapping) and isinstance(right, Mapping):
        both = left.keys() & right.keys()
        if all(left[name] == right[name] for name in both):
            return {**left, **right}
    return refuse(at, f"“{key}” stands in two schemas that hold at once: that is not supported.")
