"""Search by meaning: the cosine between a question's vector and those of all chunks, compared one by one.

Knows no models: it is given the question's vector, and the name of the model that made it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Collection as Ids
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from chat.models import Chunk, Collection, DocumentStatus
from chat.retrieval.vector_file import Edition, Matrix, read_matrix, write_matrix

logger = logging.getLogger(__name__)

MAX_OPEN = 32
# A file that is still being written may be that of another process.
STALE_PART_S = 3600.0
ROWS_AT_ONCE = 500
_NUM_LOCKS = 16


class VectorIndex:
    """A matrix for each version of a collection, in a file of `folder`, made when it is first searched.

    Any thread may call, and several processes may share the folder: who finds no good file makes one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[UUID, Matrix] = OrderedDict()
        self._lock = threading.Lock()
        # A collection's file is made by one thread at a time; the search of another one seldom waits for it.
        self._making = [threading.Lock() for _ in range(_NUM_LOCKS)]

    def search(
        self, collection_ids: Ids[UUID], model: str, question: NDArray[np.float32], limit: int
    ) -> list[tuple[int, float]]:
        """The chunks nearest to the question, -1 to 1, the nearest first; only those whose vectors `model` made.

        `question` has unit length, shape (dim,). Raises: OSError when a file cannot be written.
        """
        versions = Collection.objects.filter(pk__in=collection_ids).values_list("pk", "version")
        found: dict[int, float] = {}
        for pk, version in versions:
            matrix = self._matrix(pk, Edition(version, model, len(question)))
            found.update(_nearest(matrix, question, limit))
        return sorted(found.items(), key=lambda hit: (-hit[1], hit[0]))[:limit]

    def remove_outdated(self) -> None:
        """Remove the files of collections that have changed or are gone, and what a killed process left behind."""
        versions = Collection.objects.values_list("pk", "version")
        current = {_name(pk, version) for pk, version in versions}
        for path in self._folder.glob("*.vectors"):
            if path.name not in current:
                path.unlink(missing_ok=True)
        for path in self._folder.glob("*.part"):
            with contextlib.suppress(FileNotFoundError):  # another process may be done with it
                if time.time() - path.stat().st_mtime > STALE_PART_S:
                    path.unlink()

    def _matrix(self, pk: UUID, edition: Edition) -> Matrix:
        if (matrix := self._opened(pk, edition)) is not None:
            return matrix
        with self._making[pk.int % _NUM_LOCKS]:
            matrix = self._opened(pk, edition) or self._read_or_make(pk, edition)
        with self._lock:
            self._open[pk] = matrix
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        return matrix

    def _opened(self, pk: UUID, edition: Edition) -> Matrix | None:
        with self._lock:
            matrix = self._open.get(pk)
            if matrix is None or matrix.edition != edition:
                return None
            self._open.move_to_end(pk)
            return matrix

    def _read_or_make(self, pk: UUID, edition: Edition) -> Matrix:
        path = self._folder / _name(pk, edition.version)
        if (matrix := read_matrix(path, edition)) is not None:
            return matrix
        began_s = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        self.remove_outdated()
        write_matrix(path, edition, _vectors_of(pk, edition.model))
        if (matrix := read_matrix(path, edition)) is None:
            raise OSError(f"{path} was written and is not what was written")
        logger.info("made %s: %d vectors in %.1f s", path.name, len(matrix.ids), time.monotonic() - began_s)
        return matrix


def _name(pk: UUID, version: int) -> str:
    return f"{pk.hex}-{version}.vectors"


def _vectors_of(pk: UUID, model: str) -> Iterator[tuple[int, bytes]]:
    chunks = Chunk.objects.filter(
        document__collections=pk, document__status=DocumentStatus.READY, document__embedder=model
    )
    for chunk_id, vector in chunks.values_list("pk", "vector").iterator(ROWS_AT_ONCE):
        if vector is not None:
            yield chunk_id, bytes(vector)


def _nearest(matrix: Matrix, question: NDArray[np.float32], limit: int) -> Iterator[tuple[int, float]]:
    # Row by row in this thread: a product by @ wakes BLAS threads, which then spin for some 10 ms beside the model's.
    similarities = np.vecdot(matrix.vectors, question)
    if len(similarities) > limit:
        best = np.argpartition(-similarities, limit - 1)[:limit]
    else:
        best = np.arange(len(similarities))
    return zip(matrix.ids[best].tolist(), similarities[best].tolist(), strict=True)
