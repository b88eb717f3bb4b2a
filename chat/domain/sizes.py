"""Sizes and times in words, as pages and the terminal show them."""

from __future__ import annotations

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def size_text(num_bytes: float) -> str:
    """To three digits, in powers of ten as disks and hubs count: "37 MB", "2.5 GB"."""
    size, unit = float(num_bytes), _UNITS[0]
    for bigger in _UNITS[1:]:
        if size < 999.5:
            break
        size, unit = size / 1000, bigger
    if size == 1 and unit == "bytes":
        return "1 byte"
    is_rounded = unit in ("bytes", "kB", "MB") or size >= 99.95
    return f"{size:.0f} {unit}" if is_rounded else f"{size:.1f} {unit}"


def time_text(seconds: float) -> str:
    """Roughly, for what is left: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
