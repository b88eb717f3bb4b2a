"""The clock: date, time and weekday, in any time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chat.domain.errors import ToolFailed


def clock(timezone: str = "") -> str:
    """The current date, time and weekday. timezone is an IANA name such as Europe/Paris; empty means the server's
    own.
    """
    if not timezone.strip():
        now = datetime.now().astimezone()
        return f"{now:%A} {now.day} {now:%B %Y, %H:%M} ({now.tzname()})"
    try:
        zone = ZoneInfo(timezone.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ToolFailed(
            f"No time zone is called {timezone[:60]!r}. Use a name such as Europe/Paris."
        ) from exc
    now = datetime.now(zone)
    return f"{now:%A} {now.day} {now:%B %Y, %H:%M} ({zone.key})"
