"""PDF files, by pypdf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from chat.domain.errors import InvalidInput

MAX_PAGES = 2000

# What pypdf raises on a damaged page; the others may be good.
_DAMAGE = (
    PyPdfError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


def read_pdf(file: BinaryIO) -> Iterator[str]:
    """One piece for each page, empty for one without text.

    Raises: InvalidInput for a file that needs a password, has too many pages, or none that can be read.
    """
    reader = PdfReader(file)
    if reader.is_encrypted:
        _unlock(reader)
    num_pages = len(reader.pages)
    if num_pages > MAX_PAGES:
        message = f"This PDF has {num_pages:,} pages; Parley reads at most {MAX_PAGES:,}."
        raise InvalidInput(message, hint="Split it into parts.")
    num_read = 0
    for number in range(num_pages):
        try:
            text = reader.pages[number].extract_text()
            num_read += 1
        except _DAMAGE:
            text = f"[Page {number + 1} cannot be read.]"
        if number == num_pages - 1 and not num_read:
            raise InvalidInput("This PDF is damaged: none of its pages can be read.")
        yield f"{text.strip()}\n\n"


def _unlock(reader: PdfReader) -> None:
    """Many files are encrypted with an empty password, only to forbid printing."""
    try:
        is_open = bool(reader.decrypt(""))
    except (DependencyError, NotImplementedError):
        is_open = False
    if not is_open:
        message = "This PDF is protected by a password."
        raise InvalidInput(message, hint="Save it without one and upload it again.")
