"""A title for a new conversation, made from its first message at once: the sidebar never shows "Untitled"."""

from __future__ import annotations

import re

MAX_CHARS = 60

_BLOCK_MARKER = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-+*][ \t]+|\d+[.)][ \t]+|```\w*)", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
# Opening and closing marks of emphasis stand at one side of a word; those of 12*34 and snake_case do not.
_EMPHASIS = re.compile(r"`+|(?<!\w)[*_~]+(?=\w)|(?<=[\w.!?)])[*_~]+(?!\w)")


def title_from(text: str) -> str:
    """The first words of the message, without Markdown, cut at a word."""
    plain = _EMPHASIS.sub("", _LINK.sub(r"\1", _BLOCK_MARKER.sub("", text[: MAX_CHARS * 20])))
    title = " ".join(plain.split()) or " ".join(text.split())
    if len(title) <= MAX_CHARS:
        return title
    cut = title[: MAX_CHARS + 1].rsplit(" ", 1)[0]
    return cut[:MAX_CHARS].rstrip(" ,;:.-") + "…"
