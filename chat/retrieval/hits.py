"""What a search finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. Ranks count from 1; None means that this search did not find it."""

    chunk_id: int
    document_id: str
    title: str
    text: str
    page: int | None
    start: int
    end: int
    lexical_rank: int | None
    vector_rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best first. `is_lexical`: only words were compared, for want of an embedding model."""

    hits: tuple[Hit, ...] = ()
    is_lexical: bool = False
