"""The search: by words and by meaning at once, where there is a model for the meaning."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from chat.domain.errors import ChatError
from chat.retrieval.floor import Embeds, SimilarityFloor
from chat.retrieval.fusion import fuse
from chat.retrieval.hits import Found
from chat.retrieval.lexical import WordIndex
from chat.retrieval.passages import hits_of, openings_of
from chat.retrieval.vectors import VectorIndex
from chat.retrieval.words import has_content, is_about_the_whole

logger = logging.getLogger(__name__)

# Of each ranking: a chunk that is further down in both has no chance.
NUM_CANDIDATES = 50


class Retriever:
    """Finds the passages that a question is about, in given collections and nowhere else. Any thread may call."""

    def __init__(self, words: WordIndex, vectors: VectorIndex, embeddings: Embeds) -> None:
        self._words = words
        self._vectors = vectors
        self._embeddings = embeddings
        self._floor = SimilarityFloor(embeddings)

    def search(self, collection_ids: Sequence[UUID], query: str, limit: int = 5) -> Found:
        """At most `limit` passages, the best first; none when nothing has to do with the question.

        A question about a document as a whole, which no passage answers, finds how it begins.
        Who may search these collections is the caller's to know.
        """
        if not query.strip() or not collection_ids:
            return Found()
        lexical = [pk for pk, _ in self._words.search(collection_ids, query, NUM_CANDIDATES)]
        nearest = self._nearest(collection_ids, query)
        hits = hits_of(collection_ids, fuse(lexical, nearest or []), limit)
        if not hits and is_about_the_whole(query):
            hits = openings_of(collection_ids, limit)
        return Found(tuple(hits), is_lexical=nearest is None)

    def _nearest(self, collection_ids: Sequence[UUID], query: str) -> list[int] | None:
        """None when nothing could be compared: no model, no vectors of it, or it failed."""
        model = self._embeddings.model_name()
        if not model:
            return None
        if not has_content(query):
            return []  # the nearest passage to a greeting is the politest, and has nothing to do with it
        try:
            question = self._embeddings.question(query, model)
            found = self._vectors.search(collection_ids, model, question, NUM_CANDIDATES)
            floor = self._floor.of(model) if found else 0.0
        except (ChatError, OSError) as exc:  # an answer by words is better than none
            logger.warning("searched by words only, the vectors failed: %s", exc)
            return None
        return [pk for pk, similarity in found if similarity >= floor] if found else None
