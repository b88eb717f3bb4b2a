"""What one render of a chat template may cost. Knows nothing of Jinja beyond its word for refusal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sized

from jinja2.exceptions import SecurityError
from jinja2.runtime import Undefined

MAX_SECONDS = 1.2
MAX_VALUE_CHARS = 4_000_000
MAX_TOTAL_CHARS = 64_000_000
MAX_NUMBER_BITS = 128

_ITEM_CHARS = 4  # what an item of a list weighs beside its own characters


class BudgetExceeded(SecurityError):
    """The template ran too long or made too much."""


class Budget:
    """Time, and characters made. Every method raises BudgetExceeded when nothing is left."""

    def __init__(self) -> None:
        self._deadline_s = time.monotonic() + MAX_SECONDS
        self._chars_left = MAX_TOTAL_CHARS

    def tick(self, num_chars: int = 0) -> bool:
        """One step that copies `num_chars`. True, so that a template can evaluate it."""
        if time.monotonic() > self._deadline_s:
            raise BudgetExceeded(f"it ran for longer than {MAX_SECONDS:g} seconds")
        self.charge(num_chars)
        return True

    def charge(self, num_chars: int) -> None:
        """Pay for a value of `num_chars`, best before it is made."""
        self._chars_left -= num_chars
        if num_chars > MAX_VALUE_CHARS or self._chars_left < 0:
            raise BudgetExceeded("it makes too much text")

    def charge_copy(self, value: object) -> None:
        """Pay for a flat copy of a value."""
        if isinstance(value, str):
            self.charge(len(value))
        elif isinstance(value, Sized):
            self.charge(_ITEM_CHARS * len(value))

    def weigh(self, *values: object) -> int:
        """Pay for the values as text, with all that they hold, each time that they hold it.

        Lists that hold one another can have few members and endless text.
        """
        total = 0
        pending = list(values)
        while pending:
            value = pending.pop()
            if isinstance(value, (list, tuple, Mapping)):
                total += _ITEM_CHARS * len(value)
                _check_value(total)
                pending.extend(_members(value))
            else:
                total += _text_length(value)
                _check_value(total)
        self.charge(total)
        return total


def check_number(value: object) -> None:
    """Arithmetic on numbers of a million digits takes seconds."""
    if isinstance(value, int) and value.bit_length() > MAX_NUMBER_BITS:
        raise BudgetExceeded("it calculates with giant numbers")


def check_power(base: object, exponent: object) -> None:
    """Refuse a power before it is computed."""
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1:
        check_number(1 << min(base.bit_length() * abs(exponent), MAX_NUMBER_BITS))


def _check_value(num_chars: int) -> None:
    if num_chars > MAX_VALUE_CHARS:
        raise BudgetExceeded("it makes too much text")


def _members(value: list[object] | tuple[object, ...] | Mapping[object, object]) -> Iterable[object]:
    return [*value.keys(), *value.values()] if isinstance(value, Mapping) else value


def _text_length(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if value is None or isinstance(value, (bool, int, float, Undefined)):
        return 1
    raise SecurityError(f"it uses a {type(value).__name__} as text")
