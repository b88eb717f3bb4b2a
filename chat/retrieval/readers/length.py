"""How long a text may be."""

from __future__ import annotations

from typing import BinaryIO

from chat.domain.errors import InvalidInput

MAX_CHARS = 2_000_000
MAX_BYTES_PER_CHAR = 4


def read_bounded(file: BinaryIO) -> bytes:
    """All of a file that is nothing but text. Raises: InvalidInput when it must be too long."""
    body = file.read(MAX_CHARS * MAX_BYTES_PER_CHAR + 1)
    if len(body) > MAX_CHARS * MAX_BYTES_PER_CHAR:
        raise too_long()
    return body


def too_long() -> InvalidInput:
    """For a text of more than `MAX_CHARS`."""
    message = f"The file holds more than {MAX_CHARS // 1_000_000} million characters."
    return InvalidInput(message, hint="Split it into parts.")
