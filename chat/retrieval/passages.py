"""From ranked chunks to passages: read from the database, what is said twice only once, what was cut joined again."""

from __future__ import annotations

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db.models import Exists, OuterRef

from chat.models import Chunk, Document, DocumentStatus, Placement
from chat.retrieval.fusion import Ranked
from chat.retrieval.hits import Hit

# Two chunks of the usual length; more at once would drown the others.
MAX_JOINED_CHARS = 1_700
# Some of them say the same.
CHUNKS_PER_HIT = 4
# Of more documents nobody means all by "this document".
MAX_OPENED = 5


def hits_of(collection_ids: Ids[UUID], ranked: Sequence[Ranked], limit: int) -> list[Hit]:
    """At most `limit` passages, the best first, of ready documents that are in these collections now.

    The filter is asked here once more, whatever the search before had found.
    """
    hits: list[Hit] = []
    for candidate in _read(collection_ids, ranked[: limit * CHUNKS_PER_HIT]):
        if not _is_in(candidate, hits) and len(hits) < limit:
            hits.append(candidate)
    return hits


def openings_of(collection_ids: Ids[UUID], limit: int) -> list[Hit]:
    """How the documents begin, for a question about them as a whole; nothing where there are more than a few."""
    placed = Placement.objects.filter(collection__in=collection_ids)
    ready = Document.objects.filter(pk__in=placed.values("document"), status=DocumentStatus.READY)
    document_ids = list(ready.values_list("pk", flat=True)[: MAX_OPENED + 1])
    if len(document_ids) > MAX_OPENED:
        return []
    chunks = Chunk.objects.filter(document__in=document_ids).order_by("position", "document__created_at")
    ranked = [Ranked(pk, None, None, 0.0) for pk in chunks.values_list("pk", flat=True)[:limit]]
    return hits_of(collection_ids, ranked, limit)


def _read(collection_ids: Ids[UUID], ranked: Sequence[Ranked]) -> list[Hit]:
    # As a join it begins at the documents of a collection, all thousand of them: 17 ms instead of 1.
    placed = Placement.objects.filter(document=OuterRef("document"), collection__in=collection_ids)
    chunks = Chunk.objects.filter(
        Exists(placed),
        pk__in=[chunk.chunk_id for chunk in ranked],
        document__status=DocumentStatus.READY,
    )
    fields = ("document_id", "document__filename", "text", "page", "start", "end")
    rows = {pk: rest for pk, *rest in chunks.values_list("pk", *fields)}
    return [_hit(chunk, *rows[chunk.chunk_id]) for chunk in ranked if chunk.chunk_id in rows]


def _hit(
    chunk: Ranked, document_id: UUID, title: str, text: str, page: int | None, start: int, end: int
) -> Hit:
    places = (chunk.lexical_rank, chunk.vector_rank, chunk.score)
    return Hit(chunk.chunk_id, str(document_id), title, text, page, start, end, *places)


def _is_in(candidate: Hit, hits: list[Hit]) -> bool:
    """Whether a better hit says it already, or takes it in: a paragraph was cut between the two."""
    for place, hit in enumerate(hits):
        if hit.text == candidate.text:
            return True
        if _overlap(hit, candidate) and (joined := _joined(hit, candidate)) is not None:
            hits[place] = joined
            return True
    return False


def _overlap(one: Hit, other: Hit) -> bool:
    return one.document_id == other.document_id and one.start < other.end and other.start < one.end


def _joined(hit: Hit, candidate: Hit) -> Hit | None:
    first, second = sorted((hit, candidate), key=lambda part: part.start)
    text = first.text + second.text[max(first.end - second.start, 0) :]
    if len(text) > MAX_JOINED_CHARS:
        return None
    return replace(
        hit,
        text=text,
        page=first.page,
        start=first.start,
        end=max(first.end, second.end),
        lexical_rank=_best(hit.lexical_rank, candidate.lexical_rank),
        vector_rank=_best(hit.vector_rank, candidate.vector_rank),
    )


def _best(*ranks: int | None) -> int | None:
    return min((rank for rank in ranks if rank is not None), default=None)
