"""A JSON schema from a function's signature, and checking arguments against it."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolSpec

_TYPES: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def spec_of(function: Callable[..., str]) -> ToolSpec:
    """Name, first paragraph of the docstring, and the parameters as a JSON schema of type object.

    Raises: TypeError for a parameter whose type has no place in a schema.
    """
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters
    for name in parameters:
        if hints.get(name) not in _TYPES:
            raise TypeError(f"{function.__name__}({name}): a tool takes str, int, float or bool")
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": _TYPES[hints[name]]} for name in parameters},
        "required": [name for name, p in parameters.items() if p.default is inspect.Parameter.empty],
    }
    description = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ").strip()
    return ToolSpec(function.__name__, description, schema)


def checked_arguments(spec: ToolSpec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their types put right where the meaning is clear (models write 5 for "5").

    Raises: ToolFailed naming what is missing, unknown or of the wrong type.
    """
    properties = spec.parameters["properties"]
    if missing := [name for name in spec.parameters["required"] if name not in arguments]:
        raise ToolFailed(f"{spec.name} needs: {', '.join(missing)}.")
    if unknown := [name for name in arguments if name not in properties]:
        raise ToolFailed(f"{spec.name} does not take: {', '.join(map(str, unknown))[:200]}.")
    return {
        name: _checked(spec.name, name, value, properties[name]["type"]) for name, value in arguments.items()
    }


def _checked(tool: str, name: str, value: Any, kind: str) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "string" if isinstance(value, str):
            return value
        case "string" if is_number:
            return str(value)
        case "integer" if is_number and value == int(value):
            return int(value)
        case "number" if is_number:
            return float(value)
        case "boolean" if isinstance(value, bool):
            return value
    raise ToolFailed(f"{tool}: {name} must be of type {kind}.")
