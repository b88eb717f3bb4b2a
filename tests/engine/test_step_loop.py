"""The step loop over random schedules, on a backend that shows every mix-up of slots as a wrong text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain.errors import ContextOverflow, EngineFailed
from chat.domain.params import AdapterFile
from chat.engine import kv_cache, turns
from chat.engine.backend import BatchAborted, BatchTooLarge
from chat.engine.generation import Job
from chat.engine.wait_estimate import STEP_S
from tests.engine.desk import TEMPLATE, Desk
from tests.engine.fake_backend import FakeBackend, expected_text
from tests.engine.talk import GARDENER, ask


def answer_to(text: str) -> str:
    """What the fake model has to say to it."""
    return expected_text(TEMPLATE.render(ask(text).messages).encode(), 1000)


PIRATE, POET = (AdapterFile(Path(name), "1") for name in ("pirate", "poet"))
LONG_ANSWERED = [text for text in map("question {}".format, range(100)) if len(answer_to(text)) > 40][:3]


@pytest.fixture(scope="module", autouse=True)
def _eager_cache() -> Iterator[None]:
    """Holes are closed and states parked much sooner than in real life, so that random schedules meet both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kv_cache, "MAX_HOLE_STEPS", 2)
        patch.setattr(kv_cache, "MIN_PARKED_TOKENS", 4)
        patch.setattr(turns, "TURN_S", 0.0)
        yield


asked = st.tuples(
    st.sampled_from(
        ["hi", "hello there", "hello there, how are you", "x" * 150, "tell me about roses " * 12]
    ),
    st.sampled_from(["alice", "bob", "charlie"]),
    st.sampled_from([GARDENER, "Be brief.", ""]),
    st.sampled_from([None, None, PIRATE, POET]),
)
actions = st.lists(
    st.one_of(
        asked,
        st.integers(1, 12),  # so many steps
        st.integers(-20, -1),  # cancel the job of that number, if there is one
    ),
    max_size=25,
)
# Never two in a row: a batch that is too large is tried again one by one, and must succeed then.
troubles = st.dictionaries(
    st.integers(0, 12).map(lambda place: place * 6),
    st.sampled_from([BatchAborted, BatchTooLarge]),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(actions, troubles, st.integers(1, 4), st.booleans(), st.sampled_from([0, 2000, 1 << 20]))
def test_every_reply_gets_its_own_text_on_any_schedule(
    todo: list[object],
    trouble: dict[int, type[BatchAborted]],
    num_slots: int,
    can_drop_tail: bool,
    cache_bytes: int,
) -> None:
    backend = FakeBackend(num_slots=num_slots, can_drop_tail=can_drop_tail, trouble=trouble)
    desk = Desk(backend, cache_bytes)
    cancelled = set()
    for action in todo:
        match action:
            case (text, scope, system, adapter):
                desk.add(text, scope=scope, system=system, adapter=adapter)
            case int() if action > 0:
                for _ in range(action):
                    desk.loop.step()
            case int() if -action in desk.jobs:
                cancelled.add(-action)
                desk.loop.cancel(-action)

    desk.run()

    assert set(desk.ends) == set(desk.jobs)
    for job_id in desk.jobs:
        expected = desk.expected(job_id)
        if desk.ends[job_id].reason == "stopped":
            assert job_id in cancelled
            assert expected.startswith(desk.texts[job_id])
        else:
            assert desk.texts[job_id] == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(asked, min_size=1, max_size=12))
def test_text_of_other_scopes_is_never_computed_again_for_nor_given_to_anyone(
    questions: list[tuple[str, ...]],
) -> None:
    desk = Desk(FakeBackend(num_slots=2))
    for text, scope, system, _ in questions:
        others = [desk.jobs[j].request for j in desk.jobs if desk.jobs[j].request.scope != scope]
        own = [desk.jobs[j].request for j in desk.jobs if desk.jobs[j].request.scope == scope]
        job_id = desk.add(text, scope=scope, system=system)
        desk.run()
        if not own and others:
            # Nothing of the user's message may come from another's state: only what stands before it.
            head = TEMPLATE.render(desk.jobs[job_id].request.messages).rindex(text)
            assert desk.ends[job_id].usage.cached_tokens <= head


def test_a_batch_is_sorted_and_within_the_backends_bound() -> None:
    backend = FakeBackend(num_slots=4, max_batch_tokens=32)
    desk = Desk(backend)

    for i in range(12):
        desk.add(f"question {i} " * (i + 1))
    desk.run()

    assert all(desk.texts[job_id] == desk.expected(job_id) for job_id in desk.jobs)


def test_what_does_not_fit_together_is_computed_one_by_one() -> None:
    desk = Desk(FakeBackend(num_slots=4, max_chunks=2))

    for i in range(8):
        desk.add(f"question {i}", scope=str(i))
    desk.run()

    assert all(desk.texts[job_id] == desk.expected(job_id) for job_id in desk.jobs)


def test_a_prompt_that_was_stopped_half_way_is_reused_as_far_as_it_came() -> None:
    desk = Desk(FakeBackend())
    stopped = desk.add("tell me about roses " * 20)
    for _ in range(2):
        desk.loop.step()
    desk.loop.cancel(stopped)

    again = desk.add("tell me about roses " * 20)
    desk.run()

    assert desk.texts[again] == desk.expected(again)
    assert 64 <= desk.ends[again].usage.cached_tokens <= 128


def test_each_parked_conversation_gets_its_own_state_back() -> None:
    desk = Desk(FakeBackend(num_slots=3))
    for _ in range(3):
        for i in range(7):
            desk.add(f"{i} is the number of my question", scope=str(i), system="")
        desk.run()

    assert all(desk.texts[job_id] == desk.expected(job_id) for job_id in desk.jobs)
    # Only the last token of a known prompt is computed again.
    assert all(
        desk.ends[j].usage.cached_tokens == desk.ends[j].usage.prompt_tokens - 1 for j in range(15, 22)
    )


def test_running_slots_move_together_when_one_below_stays_free() -> None:
    backend = FakeBackend(num_slots=3)
    desk = Desk(backend)
    jobs = [desk.add(text, max_tokens=60) for text in LONG_ANSWERED]
    for _ in range(4):
        desk.loop.step()

    desk.loop.cancel(jobs[0])
    for _ in range(5):
        desk.loop.step()

    assert {chunk.slot for chunk in backend.batches[-1]} == {0, 1}
    desk.run()
    assert all(desk.texts[job_id] == desk.expected(job_id) for job_id in jobs[1:])


def test_writing_goes_on_beside_a_long_prompt() -> None:
    desk = Desk(FakeBackend(num_slots=2))
    short = desk.add("hi", max_tokens=1000)
    while not desk.texts[short]:
        desk.loop.step()
    before = len(desk.backend.batches)

    desk.add("a long story " * 100)
    for _ in range(10):
        desk.loop.step()

    mixed = desk.backend.batches[before:]
    if short not in desk.ends:
        assert all(any(len(chunk.token_ids) == 1 for chunk in batch) for batch in mixed)


def test_a_shared_system_prompt_is_computed_once() -> None:
    system = "Never speak of the weather. " * 20
    desk = Desk(FakeBackend(num_slots=4))

    for i in range(8):
        desk.add(f"question {i}", system=system, scope=f"user {i}")
    desk.run()

    num_computed = sum(len(chunk.token_ids) for batch in desk.backend.batches for chunk in batch)
    num_replies = sum(len(text) + 1 for text in desk.texts.values())
    assert num_computed < len(system) + 8 * 60 + num_replies
    assert all(desk.texts[job_id] == desk.expected(job_id) for job_id in desk.jobs)


def test_scopes_take_turns() -> None:
    desk = Desk(FakeBackend(num_slots=1))
    greedy = [desk.add(f"mine {i}", scope="alice") for i in range(5)]
    modest = desk.add("just one", scope="bob")
    desk.loop.step()

    assert desk.positions[modest][0] == 1
    assert [desk.positions[job_id][0] for job_id in greedy[1:]] == [2, 3, 4, 5]


def test_positions_count_down_to_the_turn() -> None:
    desk = Desk(FakeBackend(num_slots=1))
    for i in range(4):
        desk.add(f"question {i}", scope=f"user {i}")

    desk.run()

    assert desk.positions[4] == [3, 2, 1]


def test_a_prompt_longer_than_the_context_is_refused_with_both_counts() -> None:
    desk = Desk(FakeBackend(context_tokens=100))

    job_id = desk.add("x" * 200)
    desk.run()

    error = desk.errors[job_id]
    assert isinstance(error, ContextOverflow)
    assert "100" in error.message
    assert not desk.backend.batches


def test_a_reply_ends_where_the_context_is_full() -> None:
    backend = FakeBackend(context_tokens=75)
    desk = Desk(backend)

    job_ids = [desk.add(f"hello {i}", max_tokens=500, system="") for i in range(12)]
    desk.run()

    full = [job_id for job_id in job_ids if desk.ends[job_id].reason == "length"]
    assert full, "with twelve different texts one comes to the end of its context"
    for job_id in full:
        usage = desk.ends[job_id].usage
        assert usage.prompt_tokens + usage.completion_tokens == 75


def test_after_a_failure_all_are_told_and_the_next_reply_is_right() -> None:
    desk = Desk(FakeBackend(num_slots=2))
    first = [desk.add(f"question {i}", max_tokens=500) for i in range(3)]
    for _ in range(3):
        desk.loop.step()

    desk.loop.fail_all(EngineFailed("broken"))
    desk.loop.flush()
    again = desk.add("question 0")
    desk.run()

    open_then = [job_id for job_id in first if job_id not in desk.ends]
    assert [type(desk.errors[job_id]) for job_id in open_then] == [EngineFailed] * len(open_then)
    assert desk.texts[again] == desk.expected(again)


@pytest.mark.parametrize("num_tokens", [1, 5, 17])
def test_a_resumed_reply_goes_on_where_it_was(num_tokens: int) -> None:
    whole = Desk(FakeBackend())
    job_id = whole.add("tell me more", max_tokens=40)
    whole.run()
    tokens = tuple(whole.texts[job_id].encode())[:num_tokens]

    desk = Desk(FakeBackend())
    job = Job(1, whole.jobs[job_id].request, resumed=tokens)
    desk.jobs[1] = job
    desk.loop.add(job)
    desk.run()

    assert bytes(tokens).decode() + desk.texts[1] == whole.texts[job_id]
    assert desk.ends[1].usage.completion_tokens == len(whole.texts[job_id])


def test_the_wait_is_estimated_once_a_reply_has_ended() -> None:
    desk = Desk(FakeBackend(num_slots=1))
    first, _, last = (desk.add(text, max_tokens=5) for text in LONG_ANSWERED)

    desk.run()

    assert first not in desk.positions
    assert desk.positions[last] == [2, 1]
    unknown, known = desk.estimates[last]
    assert unknown is None
    assert known == STEP_S
