"""A title for a new conversation, made from its first message at once: the sidebar never shows "Untitled"."""

from __future__ import annotations

import re

MAX_CHARS = 60

_MARKDOWN = re.compile(r"[`*_#>~\[\]|]+|^\s*(?:[-+]|\d+\.)\s+", re.MULTILINE)


def title_from(text: str) -> str:
    """The first words of the message, without Markdown, cut at a word."""
    words = _MARKDOWN.sub(" ", text).split() or text.split()
    title = " ".join(words[:40])
    if len(title) <= MAX_CHARS:
        return title
    cut = title[: MAX_CHARS + 1].rsplit(" ", 1)[0]
    return cut[:MAX_CHARS].rstrip(" ,;:.-") + "…"
