"""A JSON schema from a function's signature."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

from chat.domain.messages import ToolSpec

_TYPES: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


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
