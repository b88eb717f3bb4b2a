"""What a tool may say: clean text, and not more of it than a model can read."""

from __future__ import annotations

MAX_OUTPUT_BYTES = 32_768


def bounded(text: str) -> str:
    """At most `MAX_OUTPUT_BYTES` of UTF-8 with the note that says so, without characters that no database takes.

    Bounding what is bounded changes nothing.
    """
    beginning = text[: MAX_OUTPUT_BYTES + 1].replace("\x00", "").encode("utf-8", "replace")
    if len(text) <= MAX_OUTPUT_BYTES and len(beginning) <= MAX_OUTPUT_BYTES:
        return beginning.decode()
    note = f"\n[cut: the result had {len(text):,} characters]"
    return beginning[: MAX_OUTPUT_BYTES - len(note)].decode("utf-8", "ignore") + note
