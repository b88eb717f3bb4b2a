"""Which chunks a collection lets be found: the filter of every search by words."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection as Ids
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from chat.models import Chunk, Collection, DocumentStatus

MAX_KEPT = 64
# Each stretch is a look-up of its own in the table of words, some 50 µs.
MAX_SPANS = 16

ChunkIds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """Chunks by their ids, sorted. `spans`: the first and the last id of each stretch of them, in turn.

    Documents are indexed one after the other, so there are few stretches. Where there are more than MAX_SPANS, those
    with the narrowest gaps between them count as one, with what is in the gap.
    """

    ids: ChunkIds
    spans: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spans", _spans(self.ids) if len(self.ids) else ())

    def __len__(self) -> int:
        return len(self.ids)


class Members:
    """The chunks of ready documents, kept in memory as long as the collection has its version. Any thread may call."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, tuple[int, ChunkSet]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, collection_ids: Ids[UUID]) -> ChunkSet:
        """Those of all the collections; one that does not exist has none."""
        versions = Collection.objects.filter(pk__in=collection_ids).values_list("pk", "version")
        sets = [self._of(pk, version) for pk, version in versions]
        if len(sets) == 1:
            return sets[0]
        return ChunkSet(np.unique(np.concatenate([np.empty(0, np.int64), *(chunks.ids for chunks in sets)])))

    def _of(self, pk: UUID, version: int) -> ChunkSet:
        with self._lock:
            known, chunks = self._kept.get(pk, (None, None))
        if chunks is None or known != version:
            chunks = _read(pk)
        with self._lock:
            self._kept[pk] = (version, chunks)
            self._kept.move_to_end(pk)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return chunks


def _read(pk: UUID) -> ChunkSet:
    chunks = Chunk.objects.filter(document__collections=pk, document__status=DocumentStatus.READY)
    return ChunkSet(
        np.sort(np.fromiter(chunks.values_list("pk", flat=True).iterator(10_000), dtype=np.int64))
    )


def _spans(ids: ChunkIds) -> tuple[int, ...]:
    gaps = np.diff(ids)
    ends = np.flatnonzero(gaps > 1)
    if len(ends) >= MAX_SPANS:
        ends = np.sort(ends[np.argsort(gaps[ends])[1 - MAX_SPANS :]])
    firsts, lasts = np.append(0, ends + 1), np.append(ends, len(ids) - 1)
    return tuple(int(pk) for pair in zip(ids[firsts], ids[lasts], strict=True) for pk in pair)
