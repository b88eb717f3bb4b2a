"""Two rankings as one: properties of any two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.retrieval.fusion import fuse

rankings = st.lists(st.integers(1, 30), unique=True)


@given(rankings, rankings)
def test_each_chunk_is_there_once_with_its_ranks_and_their_sum(
    lexical: list[int], nearest: list[int]
) -> None:
    fused = fuse(lexical, nearest)

    assert sorted(chunk.chunk_id for chunk in fused) == sorted({*lexical, *nearest})
    for chunk in fused:
        ranks = [
            ranking.index(chunk.chunk_id) + 1 if chunk.chunk_id in ranking else None
            for ranking in (lexical, nearest)
        ]
        assert [chunk.lexical_rank, chunk.vector_rank] == ranks
        assert chunk.score == pytest.approx(sum(1 / (60 + rank) for rank in ranks if rank))


@given(rankings, rankings)
def test_who_is_ahead_in_both_stays_ahead(lexical: list[int], nearest: list[int]) -> None:
    order = [chunk.chunk_id for chunk in fuse(lexical, nearest)]

    both = [pk for pk in lexical if pk in nearest]
    for pk in both:
        behind = [
            other
            for other in both
            if lexical.index(pk) < lexical.index(other) and nearest.index(pk) < nearest.index(other)
        ]
        assert all(order.index(pk) < order.index(other) for other in behind)


@given(rankings)
def test_one_ranking_alone_keeps_its_order(ranking: list[int]) -> None:
    assert [chunk.chunk_id for chunk in fuse(ranking, [])] == ranking
    assert [chunk.chunk_id for chunk in fuse([], ranking)] == ranking


@given(rankings, rankings)
def test_neither_ranking_weighs_more(lexical: list[int], nearest: list[int]) -> None:
    there = {chunk.chunk_id: chunk.score for chunk in fuse(lexical, nearest)}
    back = {chunk.chunk_id: chunk.score for chunk in fuse(nearest, lexical)}

    assert there == pytest.approx(back)
