"""Replies that are computed alone: nobody shares their steps, and they begin at the first token."""

from __future__ import annotations

import pytest

from chat.engine import turns
from tests.engine.desk import Desk
from tests.engine.fake_backend import FakeBackend
from tests.engine.talk import GARDENER

LONG = "tell me about roses " * 12


def test_nobody_shares_the_steps_of_a_reply_that_is_alone() -> None:
    backend = FakeBackend(num_slots=3)
    desk = Desk(backend)
    for scope in ("alice", "bob"):
        desk.add(LONG, scope=scope, system=GARDENER)
    desk.loop.step()
    before = len(backend.batches)

    desk.add(LONG, scope="alice", system=GARDENER, is_alone=True)
    desk.run()

    with_slot_2 = [batch for batch in backend.batches[before:] if any(chunk.slot == 2 for chunk in batch)]
    assert with_slot_2
    assert all(len(batch) == 1 for batch in with_slot_2)
    assert {job: desk.texts[job] for job in desk.jobs} == {job: desk.expected(job) for job in desk.jobs}


def test_it_reads_its_prompt_from_the_first_token_in_the_same_chunks_each_time() -> None:
    backend = FakeBackend(num_slots=3)
    desk = Desk(backend)
    desk.add(LONG, scope="alice", system=GARDENER)
    desk.run()
    chunks: list[list[tuple[int, int]]] = []

    for _ in range(2):
        before = len(backend.batches)
        job = desk.add(LONG, scope="alice", system=GARDENER, is_alone=True)
        desk.run()
        assert desk.ends[job].usage.cached_tokens == 0
        chunks.append([(batch[0].start, len(batch[0].token_ids)) for batch in backend.batches[before:]])

    assert chunks[0] == chunks[1]
    assert chunks[0][0][0] == 0


def test_the_others_go_on_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    backend = FakeBackend(num_slots=3)
    desk = Desk(backend)
    desk.add(LONG, scope="alice", is_alone=True)
    desk.add("hello there", scope="bob")

    for _ in range(4):
        desk.loop.step()

    assert {batch[0].slot for batch in backend.batches[:2]} == {0, 1}
