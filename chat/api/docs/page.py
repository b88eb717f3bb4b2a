"""What the page shows of each operation: the document in words, and a command to try."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.utils.text import slugify

from chat.api.docs.routes import Route, api_routes
from chat.http.openapi import Operation, Schema

# Lowest, highest, what is counted.
_BOUNDS = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minimum", "maximum", ""),
)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a body, or a parameter."""

    name: str
    kind: str
    is_required: bool
    note: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, what it means, and the schema of its body as text; "" for none."""

    status: int
    schema: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation for reading."""

    anchor: str
    method: str
    path: str
    operation: Operation
    parameters: list[FieldRow]
    fields: list[FieldRow]
    body_schema: str
    key: str
    answers: list[Answer]
    errors: list[int]
    error_schema: str
    curl: str


def groups(base_url: str) -> list[tuple[str, str, list[Entry]]]:
    """Each tag with its anchor and its operations, in the order of the sitemap."""
    found: dict[str, list[Entry]] = {}
    for route in api_routes():
        for operation in route.operations:
            found.setdefault(operation.tag, []).append(_entry(route, operation, base_url))
    return [(tag, slugify(tag), entries) for tag, entries in found.items()]


def _entry(route: Route, operation: Operation, base_url: str) -> Entry:
    method = operation.method.upper()
    schemas = operation.responses
    errors = [status for status in schemas if status >= 400]
    return Entry(
        anchor=slugify(f"{method} {route.path}".replace("/", " ")),
        method=method,
        path=route.path,
        operation=operation,
        parameters=[_parameter(parameter) for parameter in (*route.parameters, *operation.parameters)],
        fields=_fields(operation.body or operation.multipart or {}),
        body_schema=_as_text(operation.body or operation.multipart),
        key="" if operation.needs_key else "key optional" if HTTPStatus.UNAUTHORIZED in errors else "no key",
        answers=[
            Answer(status, _as_text(schema)) for status, schema in schemas.items() if status not in errors
        ],
        errors=errors,
        error_schema=_as_text(schemas[errors[0]]) if errors else "",
        curl=_curl(method, base_url + route.path, operation),
    )


def _parameter(parameter: Schema) -> FieldRow:
    schema = parameter.get("schema", {})
    note = _sentences([f"in the {parameter['in']}", parameter.get("description", ""), *_told(schema)])
    return FieldRow(parameter["name"], _kind(schema), bool(parameter.get("required")), note)


def _fields(body: Schema) -> list[FieldRow]:
    required = body.get("required", ())
    return [
        FieldRow(name, _kind(schema), name in required, _sentences(_told(schema)))
        for name, schema in body.get("properties", {}).items()
    ]


def _kind(schema: Schema) -> str:
    """The type in words: `string`, `array of object`, `number or null`."""
    for combined in ("anyOf", "oneOf"):
        if combined in schema:
            return " or ".join(dict.fromkeys(map(_kind, schema[combined])))
    if "const" in schema:
        return json.dumps(schema["const"])
    kinds = schema.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    items = schema.get("items")
    of_items = f" of {_kind(items)}" if isinstance(items, dict) and items else ""
    return " or ".join(f"{kind}{of_items}" if kind == "array" else kind for kind in kinds)


def _told(schema: Schema) -> list[str]:
    told = [schema.get("description", "")]
    if "enum" in schema:
        told.append("one of " + ", ".join(json.dumps(value) for value in schema["enum"]))
    told += [_between(schema.get(low), schema.get(high), what) for low, high, what in _BOUNDS]
    if "default" in schema:
        told.append(f"default {json.dumps(schema['default'])}")
    return told


def _between(low: float | None, high: float | None, what: str) -> str:
    if low is not None and high is not None:
        return f"from {low:,} to {high:,}{what}"
    if high is not None:
        return f"at most {high:,}{what}"
    if low is not None:
        return f"at least {low:,}{what}" if low != 1 or not what else "not empty"
    return ""


def _sentences(told: list[str]) -> str:
    return " ".join(f"{text[0].upper()}{text[1:].rstrip('.')}." for text in told if text)


def _as_text(schema: Schema | None) -> str:
    return "" if schema is None else json.dumps(schema, indent=2, ensure_ascii=False, default=dict)


def _curl(method: str, url: str, operation: Operation) -> str:
    """A command for a POSIX shell; `$PARLEY_KEY` stands for the key, CAPITALS for what is to be filled in."""
    url = re.sub(r"{(\w+)}", lambda name: name[1].upper(), url)
    parts = [f"curl {shlex.quote(url)}"]
    if method not in ("GET", "POST") or (method == "POST" and operation.body is None):
        parts[0] = f"curl -X {method} {shlex.quote(url)}"
    if HTTPStatus.UNAUTHORIZED in operation.responses:
        parts.append('-H "Authorization: Bearer $PARLEY_KEY"')
    if operation.body is not None:
        parts.append("-H 'Content-Type: application/json'")
        body = json.dumps(operation.body.get("example", _example(operation.body)), ensure_ascii=False)
        parts.append(f"-d {shlex.quote(body)}")
    elif operation.multipart is not None:
        parts += [f"-F {shlex.quote(name + '=@file')}" for name in operation.multipart.get("properties", {})]
    return " \\\n  ".join(parts)


def _example(schema: Schema) -> Any:
    """The least that the schema asks for."""
    if "example" in schema:
        return schema["example"]
    for combined in ("anyOf", "oneOf"):
        if combined in schema:
            return _example(schema[combined][0])
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "string")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            properties = schema.get("properties", {})
            names = schema.get("required") or [*properties][:1]
            return {name: _example(properties.get(name, {})) for name in names}
        case "array":
            return [_example(schema.get("items", {}))] if schema.get("minItems") else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case _:
            return "..."
