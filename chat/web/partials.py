"""Pieces of HTML with the place on the page where they go."""

from __future__ import annotations

import re

from django.utils.safestring import SafeString, mark_safe

# What ends a line in an event stream; `splitlines` would also split at U+2028 and others.
_LINE_END = re.compile(r"\r\n|\r|\n")


def partial(target: str, swap: str, html: str) -> SafeString:
    """`html`, which must be safe, for htmx to put at the CSS selector `target`."""
    return mark_safe(f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>')  # noqa: S308


def sse_message(html: str, seq: int) -> str:
    """An unnamed event whose text htmx swaps in."""
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(html))
    return f"id: {seq}\n{lines}\n"
