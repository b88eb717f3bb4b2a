"""A tool call as it is read out of a reply. What is not a call is None, never an exception."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_NAME_CHARS = 128


@dataclass(frozen=True, slots=True)
class Call:
    """A call without an id yet. A value may be `Untyped`, also deep inside of the arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Calls:
    """What a body holds; `rest` is text behind the last call."""

    calls: tuple[Call, ...]
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Untyped:
    """A value that stood between tags: what type `text` has, the tool's schema says."""

    text: str


def make_call(name: object, arguments: object) -> Call | None:
    """A call of this name, when it is a name. Arguments may be JSON text."""
    if isinstance(arguments, str):
        arguments = json_value(arguments)
    is_name = (
        isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and " " not in name
    )
    if not is_name or not isinstance(arguments, dict):
        return None
    assert isinstance(name, str)
    return Call(name, arguments)


def json_value(text: str) -> Any:
    """The value, None when the text is not JSON."""
    decoded = json_start(text)
    return None if decoded is None or decoded[1].strip() else decoded[0]


def json_start(text: str) -> tuple[Any, str] | None:
    """The value at the start of the text and what follows it."""
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return (value, text[end:]) if is_storable(value) else None


def is_storable(value: object) -> bool:
    """False for half of a surrogate pair, written as an escape: it could never be stored or sent."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


# Models put line ends into strings as they are; NaN and Infinity are no JSON.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse)
