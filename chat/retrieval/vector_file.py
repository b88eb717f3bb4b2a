"""The file that a collection's vectors are searched in: a header, the matrix, the chunks' ids. A copy of the rows.

The header is one line of JSON in 4,096 bytes. It says what the vectors were made of and holds a checksum of the rest,
so that a file of which something is missing or different is not taken for whole.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 4096
FORMAT = "parley vectors 1"

_FLOAT, _ID = np.dtype("<f4"), np.dtype("<i8")


@dataclass(frozen=True, slots=True)
class Edition:
    """Which vectors a file holds: of the collection at this version, by this model, of this length."""

    version: int
    model: str
    dim: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Vectors of unit length, shape (n, dim), and the ids of their chunks, shape (n,)."""

    edition: Edition
    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]


def read_matrix(path: Path, edition: Edition) -> Matrix | None:
    """The file mapped into memory; None when it is absent, of another edition, or broken."""
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # a file of no bytes cannot be mapped
        return None
    body = data[HEADER_BYTES:]
    num_rows, rest = divmod(len(body), edition.dim * _FLOAT.itemsize + _ID.itemsize)
    if rest or bytes(data[:HEADER_BYTES]) != _header(edition, zlib.crc32(body)):
        return None
    num_floats = num_rows * edition.dim
    vectors = np.frombuffer(body, _FLOAT, num_floats).reshape(num_rows, edition.dim)
    ids = np.frombuffer(body, _ID, num_rows, offset=num_floats * _FLOAT.itemsize).copy()
    return Matrix(edition, ids, vectors)


def write_matrix(path: Path, edition: Edition, rows: Iterable[tuple[int, bytes]]) -> None:
    """Replace the file in one step; who has the old one open keeps it. `rows`: ids and vectors as the chunks have them.

    Vectors of another length, of zeros or of no numbers are left out. Raises: OSError.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(HEADER_BYTES))
            checksum, ids = 0, []
            for pk, vector in rows:
                if (unit := _unit(vector, edition.dim)) is not None:
                    ids.append(pk)
                    checksum = zlib.crc32(unit, checksum)
                    file.write(unit)
            tail = np.array(ids, _ID).tobytes()
            file.write(tail)
            file.seek(0)
            file.write(_header(edition, zlib.crc32(tail, checksum)))
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _header(edition: Edition, checksum: int) -> bytes:
    line = json.dumps({"format": FORMAT, **asdict(edition), "checksum": checksum})
    return line.encode().ljust(HEADER_BYTES)


def _unit(vector: bytes, dim: int) -> bytes | None:
    if len(vector) != dim * _FLOAT.itemsize:
        return None
    values = np.frombuffer(vector, _FLOAT)
    length = np.sqrt(values.dot(values))
    return (values / length).tobytes() if 0 < length < np.inf else None
