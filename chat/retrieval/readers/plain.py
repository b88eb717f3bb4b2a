"""Text files: they are their own text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from chat.retrieval.readers.encoding import decoded
from chat.retrieval.readers.length import read_bounded


def read_plain(file: BinaryIO) -> Iterator[str]:
    """The whole text in one piece. Raises: InvalidInput when it is too long."""
    yield decoded(read_bounded(file))
