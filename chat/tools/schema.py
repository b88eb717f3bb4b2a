"""A JSON schema from a function's signature, and checking what a model writes against a schema."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend, validator_for
from referencing.jsonschema import EMPTY_REGISTRY

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolSpec

MAX_COMPLAINT_CHARS = 300

_TYPES: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
# A schema may come from another server, and a regular expression can take for ever: that server checks its own.
_UNCHECKED = ("pattern", "patternProperties", "additionalProperties", "unevaluatedProperties")
# With these a schema may name properties in other places.
_COMPOSERS = {"$ref", "allOf", "anyOf", "oneOf", "patternProperties"}


def spec_of(function: Callable[..., str], name: str = "") -> ToolSpec:
    """Name, first paragraph of the docstring, and the parameters as a JSON schema of type object.

    A parameter is described by `Annotated[str, "what it is"]`. Raises: TypeError for one whose type has no place in a
    schema.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _schema_of(hints.get(name), name) for name in parameters},
        "required": [name for name, p in parameters.items() if p.default is inspect.Parameter.empty],
    }
    description = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ").strip()
    return ToolSpec(name or function.__name__, description, schema)


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


def _schema_of(hint: Any, name: str) -> dict[str, Any]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    if origin is Annotated:
        return {**_schema_of(args[0], name), "description": args[1]}
    if origin is Literal and len({type(value) for value in args}) == 1:
        return {**_schema_of(type(args[0]), name), "enum": list(args)}
    if origin is list:
        return {"type": "array", "items": _schema_of(args[0], name)}
    if origin in (types.UnionType, typing.Union) and len(args) == 2 and type(None) in args:
        return _schema_of(args[0] if args[1] is type(None) else args[1], name)
    raise TypeError(
        f"{name}: a tool takes str, int, float, bool, Literal, a list of these, or one of them or None"
    )


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
