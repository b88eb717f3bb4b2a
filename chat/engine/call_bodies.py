"""Reads the inside of a tool call, in the ways that models write it. What is not a call is None, never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_NAME_CHARS = 128

_MAX_HEAD_CHARS = 2 * MAX_NAME_CHARS  # looking no further keeps a flood of markers cheap
_SEPARATOR = "<｜tool▁sep｜>"
_MISTRAL_OPEN, _MISTRAL_ARGUMENTS, _MISTRAL_ID = "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"


@dataclass(frozen=True, slots=True)
class Call:
    """A call without an id yet."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Calls:
    """What a body holds; `rest` is text behind the last call."""

    calls: tuple[Call, ...]
    rest: str = ""


ReadBody = Callable[[str], Calls | None]


def read_tagged(body: str) -> Calls | None:
    """Between `<tool_call>` and its end: JSON as Hermes and Qwen write it, or the tags of Qwen3-Coder."""
    body = body.strip()
    call = _read_tags(body) if body.startswith("<function=") else None
    return Calls((call,)) if call else _all_calls(_json(body))


def read_llama(body: str) -> Calls | None:
    """Objects with semicolons between, as Llama 3 writes them behind `<|python_tag|>` or without any marker."""
    calls = []
    while body.strip(" \n;"):
        decoded = _json_start(body.lstrip(" \n;"))
        call = decoded and as_call(decoded[0])
        if not decoded or not call:
            return None
        calls.append(call)
        body = decoded[1]
    return Calls(tuple(calls)) if calls else None


def read_bare(body: str) -> Calls | None:
    """An object that is the whole reply. It must have arguments: people ask for JSON with names in it, too."""
    value = _json(body)
    call = as_call(value) if isinstance(value, dict) and {"arguments", "parameters"} & value.keys() else None
    return Calls((call,)) if call else None


def read_mistral(body: str) -> Calls | None:
    """A list of calls, or since 2025 one `name[ARGS]{...}` behind each marker."""
    if body.lstrip().startswith(("[{", "[ {", "[\n")):
        decoded = _json_start(body.lstrip())
        found = decoded and _all_calls(decoded[0])
        return Calls(found.calls, decoded[1].strip()) if decoded and found else None
    if _MISTRAL_ARGUMENTS not in body[:_MAX_HEAD_CHARS]:
        return None
    calls, rest = [], ""
    for part in body.split(_MISTRAL_OPEN):
        name, marker, written = part.partition(_MISTRAL_ARGUMENTS)
        decoded = _json_start(written.lstrip())
        call = decoded and _call(name.partition(_MISTRAL_ID)[0].strip(), decoded[0])
        if rest or not marker or not decoded or not call:
            return None
        calls.append(call)
        rest = decoded[1].strip()
    return Calls(tuple(calls), rest)


def read_deepseek(body: str) -> Calls | None:
    """`name SEPARATOR {...}`, or with the word function before and JSON in a fence behind."""
    if _SEPARATOR not in body[:_MAX_HEAD_CHARS]:
        return None
    parts = body.split(_SEPARATOR)
    if parts[0].strip() == "function" and len(parts) == 2:
        name, _, fenced = parts[1].strip().partition("\n")
        parts = [name, fenced.strip().removeprefix("```json").removesuffix("```")]
    if len(parts) != 2:
        return None
    call = _call(parts[0].strip(), _json(parts[1].strip() or "{}"))
    return Calls((call,)) if call else None


def read_arguments(name: str, body: str) -> Calls | None:
    """Only the arguments; the name stood elsewhere."""
    call = _call(name, _json(body.strip() or "{}"))
    return Calls((call,)) if call else None


def as_call(value: object) -> Call | None:
    """The call that a JSON object means."""
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = value.get("name", inner)
    arguments = value.get("arguments", value.get("parameters"))
    return _call(name, {} if arguments is None else arguments)


def _all_calls(value: object) -> Calls | None:
    calls = [as_call(item) for item in (value if isinstance(value, list) else [value])]
    found = tuple(call for call in calls if call is not None)
    return Calls(found) if found and len(found) == len(calls) else None


def _call(name: object, arguments: object) -> Call | None:
    if isinstance(arguments, str):
        arguments = _json(arguments)
    is_name = (
        isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and " " not in name
    )
    if not is_name or not isinstance(arguments, dict):
        return None
    assert isinstance(name, str)
    return Call(name, arguments)


def _read_tags(body: str) -> Call | None:
    """`<function=NAME> <parameter=KEY> VALUE </parameter> ... </function>`, by splits: a regex would be quadratic."""
    name, closed, inside = body.removeprefix("<function=").partition(">")
    if not closed or not inside.rstrip().endswith("</function>"):
        return None
    *written, rest = inside.rstrip().removesuffix("</function>").split("</parameter>")
    arguments: dict[str, Any] = {}
    for parameter in written:
        key, closed, value = parameter.strip().removeprefix("<parameter=").partition(">")
        if not closed or not parameter.strip().startswith("<parameter="):
            return None
        arguments[key] = _tag_value(value.removeprefix("\n"))
    return None if rest.strip() else _call(name.strip(), arguments)


def _tag_value(written: str) -> Any:
    """Tags carry no types: what reads as a JSON number, word or structure is one, all else is text."""
    value = _json(written.strip())
    return written if value is None or isinstance(value, str) else value


def _json(text: str) -> Any:
    """The value, None when the text is not JSON."""
    decoded = _json_start(text)
    return None if decoded is None or decoded[1].strip() else decoded[0]


def _json_start(text: str) -> tuple[Any, str] | None:
    """The value at the start of the text and what follows it."""
    try:
        value, end = _DECODER.raw_decode(text)
        # Half of a surrogate pair, written as an escape, could never be stored or sent.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value, text[end:]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


# Models put line ends into strings as they are; NaN and Infinity are no JSON.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse)
