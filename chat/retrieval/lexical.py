"""Search by words: BM25 over SQLite's FTS5, weighed within the collections that are searched.

FTS5's own ranking is not used as it is: it counts the documents of everyone, so that the order of a person's hits would
tell how common a word is in documents that are not theirs, and in a small table a word of more than half of the chunks
weighs nothing. What it says about one word in one chunk is taken, without its weight of the word.
Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
"""

from __future__ import annotations

import math
from collections.abc import Collection as Ids
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db import connection

from chat.retrieval.members import ChunkIds, Members
from chat.retrieval.word_rows import Parts, Places, WordRows
from chat.retrieval.words import is_name, question_terms, spelled

# The rarest words are read up to this many rows, at 1.5 µs each; the others only weigh in on the best so far.
MAX_ROWS = 4_000
MAX_FINALISTS = 200
# Something is found when a chunk shares this much of the weight of the question's words; then also what shares half as
# much. Of a long question as much as this many words that are nowhere else is enough. By bench/retrieval.py, on 93
# chunks: 0.3 keeps the recall of plain questions (93 %, as with no bound; 90 % with 0.35) and finds something for 34 %
# of the questions that are about something else (62 % with no bound, 42 % with 0.25).
MIN_SHARE = 0.3
MIN_SHARE_BESIDE = 0.15
ENOUGH_RARE_WORDS = 2.5
# "My screen says E17 since yesterday": the number alone must be enough.
NAME_WEIGHT = 2.0


def index_words(chunks: Sequence[tuple[int, str]]) -> None:
    """Let chunks be found by their words: pairs of a chunk's id and its text. What was there for an id is replaced."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT OR REPLACE INTO chat_chunk_words(rowid, words) VALUES (%s, %s)",
            [(pk, spelled(text)) for pk, text in chunks],
        )


class WordIndex:
    """Finds chunks by words. Any thread may call."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def search(self, collection_ids: Ids[UUID], question: str, limit: int) -> list[tuple[int, float]]:
        """The chunks that share enough with the question and their BM25 scores, the best first."""
        terms, chunks = question_terms(question), self._members.of(collection_ids)
        if not terms or not len(chunks):
            return []
        board = _Board(chunks.ids)
        board.weigh(terms, WordRows(chunks))
        return board.best(limit)


class _Board:
    """What each chunk has of a question's words. `scores` and `shared` have a place for each of `ids`."""

    def __init__(self, ids: ChunkIds) -> None:
        self._ids = ids
        self._scores = np.zeros(len(ids))
        self._shared = np.zeros(len(ids))
        self._total = 0.0

    def weigh(self, terms: Sequence[str], rows: WordRows) -> None:
        """Read the rows of each term, the rarest first."""
        num_rows = {term: rows.count(term) for term in terms}
        num_read, finalists = 0, None
        for term in sorted(terms, key=num_rows.__getitem__):
            num_read += num_rows[term]
            if num_read <= MAX_ROWS:
                places, parts = rows.read(term, MAX_ROWS)
                self._add(term, len(places), places, parts)
            elif num_read == num_rows[term]:  # the rarest, and still so common
                self._add(term, num_rows[term], *rows.read(term, MAX_ROWS))
            else:
                finalists = self._finalists() if finalists is None else finalists
                self._add(term, num_rows[term], *rows.among(finalists, term))

    def best(self, limit: int) -> list[tuple[int, float]]:
        """Ids and scores of the chunks that share enough."""
        enough = min(self._total, ENOUGH_RARE_WORDS / MIN_SHARE * self._weight(0))
        if not self._shared.any() or self._shared.max() < MIN_SHARE * enough:
            return []
        places = np.flatnonzero(self._shared >= MIN_SHARE_BESIDE * enough)
        best = places[np.argsort(-self._scores[places], kind="stable")[:limit]]
        return list(zip(self._ids[best].tolist(), self._scores[best].tolist(), strict=True))

    def _add(self, term: str, num_with_term: int, places: Places, parts: Parts) -> None:
        weight = self._weight(num_with_term) * (NAME_WEIGHT if is_name(term) else 1)
        self._total += weight
        self._shared[places] += weight
        self._scores[places] += weight * parts

    def _weight(self, num_with_term: int) -> float:
        """A word that all chunks have still weighs something: there may be one chunk only."""
        return math.log(1 + (len(self._ids) + 1) / (num_with_term + 1))

    def _finalists(self) -> Places:
        places = np.flatnonzero(self._scores)
        if len(places) <= MAX_FINALISTS:
            return places
        return places[np.argpartition(-self._scores[places], MAX_FINALISTS)[:MAX_FINALISTS]]
