"""Reading the JSON body of a program's request: every wrong field is named, with what it should be."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from chat.domain.errors import InvalidInput

MAX_DEPTH = 64
T = TypeVar("T")


class TooLarge(InvalidInput):
    """The body is longer than the server takes."""

    code = "too_large"


def json_object(request: HttpRequest) -> dict[str, Any]:
    """The body as an object. Raises: InvalidInput for anything else, also for NaN and infinite numbers."""
    try:
        body = request.body
    except RequestDataTooBig:
        raise TooLarge("The request body is too large.", hint="Send less at once.") from None
    return parsed_object(body, "The request body")


def parsed_object(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object from its text; `what` names it in errors. Raises: InvalidInput as for a body."""
    value = parsed_value(text, what)
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} must be a JSON object.")
    return value


def parsed_value(text: str | bytes, what: str) -> Any:
    """Any JSON value from its text; `what` names it in errors. Raises: InvalidInput as for a body."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidInput(f"{what} is nested too deeply.") from None
    except ValueError as exc:
        raise InvalidInput(f"{what} is not JSON: {exc}.") from None
    _check_value(value, MAX_DEPTH)
    return value


class Fields:
    """The fields of an object; `null` counts as absent. Each reader raises InvalidInput that names the field."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def name(self, name: str) -> str:
        """The field's name as errors tell it, such as `messages[0].role`."""
        return f"{self._path}.{name}" if self._path else name

    def text(
        self, name: str, default: str | None = None, *, max_chars: int = 1_000_000, min_chars: int = 0
    ) -> str:
        """A string; required when there is no default."""
        value = self._of_type(name, str, "a string", default)
        if not min_chars <= len(value) <= max_chars:
            self.refuse(name, f"must have {min_chars:,} to {max_chars:,} characters")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of some words."""
        value = self._of_type(name, str, "a string", default)
        if value not in choices:
            self.refuse(name, f"must be one of {', '.join(choices)}")
        return value

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        return self._of_type(name, bool, "true or false", default)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int | None:
        """A whole number within bounds; 5.0 counts as 5."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(name, f"must be a whole number from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float | None:
        """A finite number within bounds."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self.refuse(name, "must be a number")
        if (
            not low <= value <= high
        ):  # also false for NaN, and true for no whole number beyond a float's range
            self.refuse(name, f"must be a number from {low:g} to {high:g}")
        return float(value)

    def object(self, name: str) -> Fields | None:
        """The fields of an object within."""
        value = self._of_type(name, dict, "an object", None) if name in self else None
        return None if value is None else Fields(value, self.name(name))

    def mapping(self, name: str) -> dict[str, Any]:
        """An object as it is; empty when absent."""
        return self._of_type(name, dict, "an object", {})

    def array(self, name: str, *, max_items: int = 10_000, min_items: int = 0) -> list[Any]:
        """A list as it is; empty when absent."""
        value: list[Any] = self._of_type(name, list, "an array", [])
        if not min_items <= len(value) <= max_items:
            self.refuse(name, f"must have {min_items} to {max_items:,} items")
        return value

    def objects(self, name: str, *, max_items: int = 10_000, min_items: int = 0) -> list[Fields]:
        """The fields of each object of a list."""
        found = []
        for number, value in enumerate(self.array(name, max_items=max_items, min_items=min_items)):
            if not isinstance(value, dict):
                self.refuse(f"{name}[{number}]", "must be an object")
            found.append(Fields(value, f"{self.name(name)}[{number}]"))
        return found

    def raw(self, name: str) -> Any:
        """Whatever stands there; None when absent."""
        return self._values.get(name)

    def refuse(self, name: str, what: str) -> NoReturn:
        """Raises: InvalidInput saying what the field must be."""
        raise InvalidInput(f"{self.name(name)} {what}.", field=self.name(name))

    def _of_type(self, name: str, kind: type[T], what: str, default: T | None) -> T:
        value = self._values.get(name, default)
        value = default if value is None else value
        if value is None:
            self.refuse(name, "is required")
        if not isinstance(value, kind):
            self.refuse(name, f"must be {what}")
        return value


def _refuse_constant(constant: str) -> NoReturn:
    raise InvalidInput(f"{constant} is not a JSON number.")


def _check_value(value: Any, depth: int) -> None:
    """Raises: InvalidInput for broken characters, and for what is nested more than `depth` deep."""
    if depth == 0:
        raise InvalidInput("The JSON body is nested too deeply.")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_value(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check_value(item, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):  # such as 1e999
        raise InvalidInput("A number in the body is too large.")


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The request body holds a broken character (half of a surrogate pair).") from None
