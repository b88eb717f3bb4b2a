"""Reads FTS5's table of words: which of some chunks have a word, and how much of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from chat.retrieval.members import ChunkSet

# What a word of half of all chunks, or of more, weighs in FTS5.
_FTS5_LEAST_WEIGHT = 1e-6

Places = NDArray[np.int64]
Parts = NDArray[np.float64]


class WordRows:
    """The rows of some chunks. A term is an FTS5 expression of one word or phrase.

    Rows come as two arrays: places in `chunks.ids`, and parts, the share of BM25 that tells how often the term stands
    in that chunk and how long the chunk is: above 0, at most 2.2.
    """

    def __init__(self, chunks: ChunkSet) -> None:
        self._chunks = chunks
        spans = ", ".join(["(%s, %s)"] * (len(chunks.spans) // 2))
        self._with_spans = f"WITH span(first, last) AS (VALUES {spans})"
        self._num_everywhere = _value("SELECT count(*) FROM chat_chunk_words_docsize")
        self._counts: dict[str, int] = {}

    def count(self, term: str) -> int:
        """How many there are; an upper bound where spans hold other chunks too."""
        if term not in self._counts:
            sql = f"{self._with_spans} SELECT count(*) {_IN_SPANS}"
            self._counts[term] = _value(sql, *self._chunks.spans, term)
        return self._counts[term]

    def read(self, term: str, limit: int) -> tuple[Places, Parts]:
        """All of the term, or the first `limit`."""
        sql = f"{self._with_spans} SELECT rowid, bm25(chat_chunk_words) {_IN_SPANS} LIMIT %s"
        return self._placed(term, _rows(sql, *self._chunks.spans, term, limit))

    def among(self, places: Places, term: str) -> tuple[Places, Parts]:
        """Those of some places only."""
        # The plus keeps SQLite from a look-up for each: one pass over the term is ten times faster.
        sql = (
            "SELECT rowid, bm25(chat_chunk_words) FROM chat_chunk_words"
            " WHERE chat_chunk_words MATCH %s AND +rowid IN (SELECT value FROM json_each(%s))"
        )
        return self._placed(term, _rows(sql, term, json.dumps(self._chunks.ids[places].tolist())))

    def _placed(self, term: str, rows: Sequence[tuple[int, float]]) -> tuple[Places, Parts]:
        if not rows:
            return np.empty(0, np.int64), np.empty(0)
        ids, ranks = (np.array(column) for column in zip(*rows, strict=True))
        places = np.searchsorted(self._chunks.ids, ids).clip(max=len(self._chunks) - 1)
        is_ours = self._chunks.ids[places] == ids
        return places[is_ours], ranks[is_ours] / -self._weight_everywhere(term)

    def _weight_everywhere(self, term: str) -> float:
        """What FTS5 has multiplied the parts with."""
        if len(self._chunks) == self._num_everywhere:
            num_rows = self.count(term)
        else:
            num_rows = _value("SELECT count(*) FROM chat_chunk_words WHERE chat_chunk_words MATCH %s", term)
        weight = math.log((self._num_everywhere - num_rows + 0.5) / (num_rows + 0.5))
        return weight if weight > 0 else _FTS5_LEAST_WEIGHT


_IN_SPANS = (
    "FROM span CROSS JOIN chat_chunk_words"
    " WHERE chat_chunk_words MATCH %s AND chat_chunk_words.rowid BETWEEN span.first AND span.last"
)


def _rows(sql: str, *values: str | int) -> list[tuple[int, float]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _value(sql: str, *values: str | int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.fetchone()[0])
