"""Two rankings become one. Knows only ids.

Scores of different kinds need not be compared, and no ranking wins by its scale. Source: Cormack, Clarke and Buettcher,
"Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# How little the first places differ from each other; the paper's value.
K = 60


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk and its places, from 1; None where it is not in that ranking. `score`: the sum of 1 / (60 + rank)."""

    chunk_id: int
    lexical_rank: int | None
    vector_rank: int | None
    score: float


def fuse(lexical: Sequence[int], nearest: Sequence[int]) -> list[Ranked]:
    """Both rankings of chunks' ids, the best first, as one; among equals the one with the words comes first."""
    lexical_ranks = {pk: rank for rank, pk in enumerate(lexical, start=1)}
    vector_ranks = {pk: rank for rank, pk in enumerate(nearest, start=1)}
    ranked = [
        Ranked(
            pk,
            lexical_ranks.get(pk),
            vector_ranks.get(pk),
            _score(lexical_ranks.get(pk), vector_ranks.get(pk)),
        )
        for pk in lexical_ranks | vector_ranks
    ]
    return sorted(ranked, key=lambda chunk: -chunk.score)


def _score(*ranks: int | None) -> float:
    return sum(1 / (K + rank) for rank in ranks if rank is not None)
