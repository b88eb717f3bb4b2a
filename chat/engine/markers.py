"""Finds markers in a text that is still coming."""

from __future__ import annotations

from collections.abc import Iterable


def first_marker(text: str, markers: Iterable[str]) -> tuple[int, str] | None:
    """Place and name of the marker that comes first in `text`; of two at one place, the longer."""
    found = [(place, -len(marker), marker) for marker in markers if (place := text.find(marker)) >= 0]
    if not found:
        return None
    place, _, marker = min(found)
    return place, marker


def overlap(text: str, marker: str) -> int:
    """The length of the longest end of `text` that the marker begins with."""
    longest = min(len(text), len(marker) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(marker[:length])), 0)
