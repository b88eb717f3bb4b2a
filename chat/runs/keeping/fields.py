"""Reading what others wrote: typed fields of parsed JSON, with errors that name the place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chat.domain.errors import InvalidInput

MAX_TEXT_CHARS = 2_000_000
MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of the file and where it stands in it. Each reader raises InvalidInput for a value of another kind."""

    values: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, value: object, place: str) -> Fields:
        """Raises: InvalidInput for anything but an object."""
        if not isinstance(value, dict):
            raise InvalidInput(f"{place} must be an object.")
        return cls(value, place)

    def text(self, name: str, *, max_chars: int = MAX_TEXT_CHARS) -> str:
        """The text without what no database stores; "" when it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(name, "must be text")
        if len(value) > max_chars:
            raise self.wrong(name, f"has {len(value):,} characters; at most {max_chars:,} are allowed")
        return clean(value)

    def moment(self, name: str) -> datetime | None:
        """Of ISO 8601 text or seconds since 1970; None when it is missing, null or 0."""
        value = self.values.get(name)
        if not value:
            return None
        try:
            if isinstance(value, str):
                found = datetime.fromisoformat(value)
                return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            pass  # told below, as any other value that is no time
        raise self.wrong(name, "must be a time")

    def inner(self, name: str) -> Fields:
        """The object under this name; an empty one when it is missing or null."""
        value = self.values.get(name)
        return Fields.of({} if value is None else value, f"{self.place}.{clean(name[:80])}")

    def items(self, name: str, *, max_items: int) -> list[Any]:
        """The list under this name; an empty one when it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        if len(value) > max_items:
            raise self.wrong(name, f"has {len(value):,} entries; at most {max_items:,} are allowed")
        return value

    def objects(self, name: str, *, max_items: int) -> Iterator[Fields]:
        """The objects of the list under this name."""
        for number, value in enumerate(self.items(name, max_items=max_items)):
            yield Fields.of(value, f"{self.place}.{name}[{number}]")

    def wrong(self, name: str, what: str) -> InvalidInput:
        """The error that says so of a field."""
        return InvalidInput(f"{self.place}.{name} {what}.")


def clean(text: str) -> str:
    """Without NUL, and with half characters replaced: no database and no page takes them."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def plain(value: Any, place: str, depth: int = 0) -> Any:
    """JSON of any form, its texts cleaned. Raises: InvalidInput when it is nested too deeply."""
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{place} is nested more than {MAX_DEPTH} deep.")
    if isinstance(value, dict):
        return {clean(key): plain(each, place, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each, place, depth + 1) for each in value]
    return clean(value) if isinstance(value, str) else value
