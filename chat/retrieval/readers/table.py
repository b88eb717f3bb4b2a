"""Tables of values: each row becomes a paragraph that says what its values are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from chat.retrieval.readers.clean import clean, one_line
from chat.retrieval.readers.encoding import decoded
from chat.retrieval.readers.length import read_bounded

DELIMITERS = ",;\t|"
MAX_FIELD_CHARS = 1_000_000


def read_table(file: BinaryIO) -> Iterator[str]:
    """`city: Rome; country: Italy` for each row. Without a row of headers the columns are numbered.

    Raises: InvalidInput when it is too long.
    """
    text = clean(decoded(read_bounded(file)))
    csv.field_size_limit(MAX_FIELD_CHARS)
    rows = csv.reader(io.StringIO(text), delimiter=_delimiter(text))
    headers: Sequence[str] | None = None
    for row in rows:
        cells = [one_line(cell) for cell in row]
        if not any(cells):
            continue
        if headers is None:
            headers = cells if _are_headers(cells) else ()
            if headers:
                continue
        yield _sentence(headers, cells)


def _delimiter(text: str) -> str:
    """The commonest in the first line that has one."""
    for line in text.split("\n", 20)[:20]:
        best = max(DELIMITERS, key=line.count)
        if best in line:
            return best
    return ","


def _are_headers(cells: Sequence[str]) -> bool:
    return all(cells) and len(set(cells)) == len(cells) and not any(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    return cell.strip("+-%$€£ ").replace(",", "").replace(".", "").isdigit()


def _sentence(headers: Sequence[str], cells: Sequence[str]) -> str:
    numbers = range(len(headers) + 1, len(cells) + 1)
    names = [*headers, *(f"column {number}" for number in numbers)]
    return "; ".join(f"{name}: {cell}" for name, cell in zip(names, cells, strict=False) if cell) + "\n\n"
