"""Checks what a model writes as a tool's arguments against the tool's JSON schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend, validator_for
from referencing.jsonschema import EMPTY_REGISTRY

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolSpec

MAX_COMPLAINT_CHARS = 300

# A schema may come from another server, and a regular expression can take for ever: that server checks its own.
_UNCHECKED = ("pattern", "patternProperties", "additionalProperties", "unevaluatedProperties")
# With these a schema may name properties in other places.
_COMPOSERS = {"$ref", "allOf", "anyOf", "oneOf", "patternProperties"}


def checked_arguments(spec: ToolSpec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their types put right where the meaning is clear (models write 5 for "5", null for nothing).

    Raises: ToolFailed naming what is missing, unknown or wrong.
    """
    properties = spec.parameters.get("properties", {})
    required = spec.parameters.get("required", ())
    kinds = {name: schema.get("type") for name, schema in properties.items() if isinstance(schema, Mapping)}
    found = {
        name: _put_right(value, kinds.get(name))
        for name, value in arguments.items()
        if value is not None or name in required or not isinstance(kinds.get(name), str)
    }
    if _is_closed(spec.parameters) and (unknown := [name for name in found if name not in properties]):
        raise ToolFailed(f"{spec.name} does not take: {', '.join(unknown)[:MAX_COMPLAINT_CHARS]}.")
    validator = _validator_of(spec.parameters)
    if error := best_match(validator.iter_errors(found)):
        place = "".join(f"{step}: " for step in error.absolute_path)
        raise ToolFailed(f"{spec.name}: {place}{error.message}"[:MAX_COMPLAINT_CHARS])
    return found


def _put_right(value: Any, kind: object) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "string" if is_number:
            return str(value)
        case "integer" if isinstance(value, float) and value.is_integer():
            return int(value)
        case "integer" | "number" if isinstance(value, str):
            return _number_in(value, kind)
        case "boolean" if value in ("true", "false"):
            return value == "true"
    return value


def _number_in(text: str, kind: str) -> Any:
    """The text itself when there is none: the check says what is wrong."""
    try:
        number = int(text) if kind == "integer" else float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _is_closed(schema: Mapping[str, Any]) -> bool:
    """All names that the tool takes stand in `properties`: the default of JSON schema would let typing errors pass."""
    takes_others = schema.get("additionalProperties", False) is not False
    return "properties" in schema and not takes_others and not _COMPOSERS & schema.keys()


def _validator_of(schema: Mapping[str, Any]) -> Any:
    """It never fetches: a reference to another document is an error."""
    dialect = validator_for(schema, default=Draft202012Validator)
    return _tamed(dialect)(schema, registry=EMPTY_REGISTRY)


@cache
def _tamed(dialect: Any) -> Any:
    return extend(dialect, dict.fromkeys(_UNCHECKED, _pass))


def _pass(*_args: object) -> None:
    """No complaint."""
