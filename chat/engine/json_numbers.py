"""GBNF for the numbers between two bounds, digit by digit."""

from __future__ import annotations

import math
from typing import Any

MAX_DIGITS = 16  # what a double holds
_LARGEST = 10**MAX_DIGITS - 1

Bound = tuple[float, bool] | None  # the number, and whether it is itself left out


class NoNumber(ValueError):
    """There is nothing, or nothing that can be written down, between the bounds."""


def integers(low: Bound, high: Bound) -> list[str]:
    """Alternatives for the whole numbers between the bounds. Raises: NoNumber."""
    found = _signed(*_whole(low, high))
    if not found:
        raise NoNumber("no whole number is between its bounds.")
    return found


def numbers(low: Bound, high: Bound) -> list[str]:
    """Alternatives for the numbers between the bounds, without those beyond the outermost whole ones: from 0.5 on
    comes nothing before 1. Raises: NoNumber.
    """
    least, most = _whole(low, high)
    lowest, is_low_out = low or (-_LARGEST, False)
    highest, is_high_out = high or (_LARGEST, False)
    positive = _fractions(max(0, least), highest, bound=lowest, is_left_out=is_low_out)
    negative = _fractions(max(0, -most), -lowest, bound=-highest, is_left_out=is_high_out)
    found = [*_signed(least, most), *positive, *(f'"-" {each}' for each in negative)]
    if not found:
        raise NoNumber("no whole number is between its bounds: that is not supported.")
    return found


def stricter_bound(inclusive: Any, exclusive: Any, stricter: Any) -> Bound:
    """The stricter of the two bounds of a schema. Draft 4 has a boolean `exclusive`. Raises: NoNumber."""
    if isinstance(exclusive, bool):
        return None if inclusive is None else (inclusive, exclusive)
    bounds = [
        (value, is_left_out)
        for value, is_left_out in ((inclusive, False), (exclusive, True))
        if value is not None
    ]
    for value, _ in bounds:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise NoNumber("a bound must be a number.")
    if len(bounds) < 2:
        return bounds[0] if bounds else None
    if inclusive == exclusive:
        return exclusive, True
    return bounds[0] if stricter(inclusive, exclusive) == inclusive else bounds[1]


def _whole(low: Bound, high: Bound) -> tuple[int, int]:
    """The lowest and the highest whole number between the bounds."""
    least, most = -_LARGEST, _LARGEST
    if low is not None:
        _check(low[0])
        least = max(least, math.floor(low[0]) + 1 if low[1] else math.ceil(low[0]))
    if high is not None:
        _check(high[0])
        most = min(most, math.ceil(high[0]) - 1 if high[1] else math.floor(high[0]))
    return least, most


def _check(bound: float) -> None:
    if not -math.inf < bound < math.inf:
        raise NoNumber("a bound must be a number.")


def _signed(least: int, most: int) -> list[str]:
    found = []
    if most >= max(least, 0):
        found.append(_between(max(least, 0), most))
    if least <= min(most, -1):
        found.append(f'"-" ({_between(max(1, -most), -least)})')
    return found


def _fractions(first: int, highest: float, *, bound: float, is_left_out: bool) -> list[str]:
    """What begins with a whole number from `first` on and stays below `highest`. `bound` itself may be left out."""
    found = []
    last = min(math.floor(highest), _LARGEST)
    if is_left_out and bound == first - 1 >= 0 and first <= last:
        found.append(f'"{first - 1}." [0-9]{{0,13}} [1-9]')
    if first < last:
        found.append(f'({_between(first, last - 1)}) "." [0-9]{{1,15}}')
    return found


def _between(low: int, high: int) -> str:
    """Numbers from `low` to `high`, both from 0 on and included."""
    parts = []
    for num_digits in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (num_digits - 1) if num_digits > 1 else 0)
        last = min(high, 10**num_digits - 1)
        parts.append(_same_length(str(first), str(last)))
    return " | ".join(parts)


def _same_length(low: str, high: str) -> str:
    """Digits from `low` to `high`, which have the same number of digits."""
    if not low:
        return '""'
    rest = len(low) - 1
    if set(low) == {"0"} and set(high) == {"9"}:
        return f"[0-9]{{{len(low)}}}"
    if low[0] == high[0]:
        return f'"{low[0]}" ({_same_length(low[1:], high[1:])})' if rest else f'"{low}"'
    first, last = int(low[0]), int(high[0])
    parts = []
    if low[1:].strip("0"):
        parts.append(f'"{first}" ({_same_length(low[1:], "9" * rest)})')
        first += 1
    upper = None
    if high[1:].strip("9"):
        upper = f'"{last}" ({_same_length("0" * rest, high[1:])})'
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}] [0-9]{{{rest}}}")
    return " | ".join([*parts, *([upper] if upper else [])])
