"""The child that reads one file: `python -m chat.retrieval.extract_child`, the file is its standard input.

Its answer goes to standard output as JSON. No Django; each parser is imported only for a file of its kind.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from chat.domain.errors import InvalidInput
from chat.retrieval.chunker import chunks_of
from chat.retrieval.kinds import Kind
from chat.retrieval.readers.clean import clean
from chat.retrieval.readers.length import MAX_CHARS, too_long
from chat.retrieval.sandbox import Limits, confine

Reader = Callable[[BinaryIO], Iterator[str]]

_READERS = {
    Kind.PDF: "chat.retrieval.readers.pdf.read_pdf",
    Kind.DOCX: "chat.retrieval.readers.docx.read_docx",
    Kind.HTML: "chat.retrieval.readers.html.read_html",
    Kind.TABLE: "chat.retrieval.readers.table.read_table",
    Kind.MARKDOWN: "chat.retrieval.readers.plain.read_plain",
    Kind.TEXT: "chat.retrieval.readers.plain.read_plain",
}
_LIBXML2_NO_MEMORY = 2
_PICTURES = "This PDF holds only pictures: there is no text in it to search."


def main() -> None:
    """Read what the arguments say: the kind, then the limits."""
    name, cpu_s, wall_s, memory_bytes = sys.argv[-4:]
    kind = Kind(name)
    read = _reader(kind)  # before the doors close: it may lie where only root may look
    confine(Limits(int(cpu_s), int(wall_s), int(memory_bytes)))
    # Ctrl-C reaches the whole group: the parent decides when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.write(json.dumps(_answer(kind, read, sys.stdin.buffer)))


def _answer(kind: Kind, read: Reader, file: BinaryIO) -> dict[str, Any]:
    try:
        return _read(kind, read, file)
    except InvalidInput as error:
        return {"error": error.message, "hint": error.hint}
    except Exception as exc:  # noqa: BLE001 - the border of the parsers: damage makes them raise anything
        if isinstance(exc, MemoryError) or getattr(exc, "code", None) == _LIBXML2_NO_MEMORY:
            return {
                "error": "Reading this file needs more memory than is allowed.",
                "hint": "Split it into parts.",
            }
        return {"error": "The file is damaged: it cannot be read.", "hint": "", "cause": type(exc).__name__}


def _read(kind: Kind, read: Reader, file: BinaryIO) -> dict[str, Any]:
    pieces: list[str] = []
    starts: list[int] = []
    num_chars = 0
    for piece in read(file):
        starts.append(num_chars)
        pieces.append(clean(piece))
        num_chars += len(pieces[-1])
        if num_chars > MAX_CHARS:
            raise too_long()
    text = "".join(pieces)
    if not text.strip():
        hint = "Run text recognition (OCR) on it first." if kind is Kind.PDF else ""
        raise InvalidInput(_PICTURES if kind is Kind.PDF else "The file holds no text.", hint=hint)
    page_starts = tuple(starts) if kind is Kind.PDF else ()
    spans = [(span.start, span.end, span.page) for span in chunks_of(text, page_starts)]
    return {"text": text, "num_pages": len(page_starts) or None, "spans": spans}


def _reader(kind: Kind) -> Reader:
    module, _, name = _READERS[kind].rpartition(".")
    reader: Reader = getattr(importlib.import_module(module), name)
    return reader


if __name__ == "__main__":
    main()
