"""From a posted message to a stored answer, on a real engine."""

from __future__ import annotations

import threading
import uuid

import pytest

from chat.domain.errors import ChatError, Conflict, InvalidInput
from chat.domain.events import RunFinished, StatusChanged, TextDelta, UsageReported
from chat.domain.reply import ReplyBuilder
from chat.models import Actor, Conversation, Message, Run, RunStatus
from chat.runs.service import MAX_MESSAGE_CHARS
from chat.runtime import Runtime
from tests.conftest import conversation_of, long_answers, wait_for_end, wait_until


def start(runtime: Runtime, actor: Actor, text: str = "Hello there") -> Run:
    return runtime.runs.start_conversation(actor, text, key=uuid.uuid4())


def wait_for_text(runtime: Runtime, run: Run) -> None:
    wait_until(lambda: any(isinstance(n.event, TextDelta) for n in runtime.log.read(run.pk)))


def test_an_answer_is_written_and_stored_as_its_events_tell(runtime: Runtime, alices_actor: Actor) -> None:
    run = wait_for_end(start(runtime, alices_actor))

    events = runtime.log.read(run.pk)
    reply = ReplyBuilder.of(events)
    assert run.status == RunStatus.DONE
    assert run.reply.text == "".join(n.event.text for n in events if isinstance(n.event, TextDelta)) != ""
    assert tuple(reply.parts) == run.reply.content
    assert isinstance(events[-1].event, RunFinished)
    assert [n.seq for n in events] == list(range(1, len(events) + 1))
    assert run.usage_report == next(n.event for n in events if isinstance(n.event, UsageReported))
    assert run.usage_report.completion_tokens > 0
    assert run.model == "tiny"


def test_states_are_named_on_the_way(new_engines: None, runtime: Runtime, alices_actor: Actor) -> None:
    run = wait_for_end(start(runtime, alices_actor))

    states = [n.event.state for n in runtime.log.read(run.pk) if isinstance(n.event, StatusChanged)]
    assert "loading" in states
    assert "writing" in states


def test_a_new_conversation_takes_its_title_from_the_first_message(
    runtime: Runtime, alices_actor: Actor
) -> None:
    run = wait_for_end(start(runtime, alices_actor, "## Why is the *sky* blue?\nAnd the sea"))

    assert conversation_of(run).title == "Why is the sky blue? And the sea"


def test_a_second_turn_follows_the_first(runtime: Runtime, alices_actor: Actor) -> None:
    first = wait_for_end(start(runtime, alices_actor))

    second = wait_for_end(runtime.runs.post_message(conversation_of(first), "And then?", key=uuid.uuid4()))

    roles = [message.role for message in conversation_of(second).path()]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert second.usage_report is not None
    assert second.usage_report.cached_tokens > 0


def test_the_same_post_twice_is_one_message(runtime: Runtime, alices_actor: Actor) -> None:
    key = uuid.uuid4()
    found: list[int] = []

    def post() -> None:
        found.append(runtime.runs.start_conversation(alices_actor, "Hello", key=key).pk)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert Message.objects.filter(role="user").count() == 1
    wait_for_end(Run.objects.get(pk=found[0]))


@long_answers
def test_a_second_message_while_an_answer_is_written_is_a_conflict(
    runtime: Runtime, alices_actor: Actor
) -> None:
    run = start(runtime, alices_actor)

    with pytest.raises(Conflict):
        runtime.runs.post_message(conversation_of(run), "Too soon", key=uuid.uuid4())

    wait_for_end(run)
    assert Message.objects.filter(conversation=run.conversation_id).count() == 2


@long_answers
def test_twenty_posts_at_once_start_exactly_one_answer(runtime: Runtime, alices_actor: Actor) -> None:
    first = start(runtime, alices_actor)
    runtime.runs.cancel(first)
    conversation = conversation_of(wait_for_end(first))
    outcomes: list[object] = []

    def post() -> None:
        try:
            outcomes.append(runtime.runs.post_message(conversation, "Now", key=uuid.uuid4()))
        except ChatError as exc:
            outcomes.append(exc)

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    runs = [outcome for outcome in outcomes if isinstance(outcome, Run)]
    assert len(runs) == 1
    assert all(isinstance(outcome, (Run, Conflict)) for outcome in outcomes)
    runtime.runs.cancel(runs[0])
    wait_for_end(runs[0])


def test_a_post_from_a_page_that_is_behind_follows_the_newest_message(
    runtime: Runtime, alices_actor: Actor
) -> None:
    stale = conversation_of(wait_for_end(start(runtime, alices_actor)))
    newest = wait_for_end(
        runtime.runs.post_message(Conversation.objects.get(pk=stale.pk), "Second", key=uuid.uuid4())
    )

    last = wait_for_end(runtime.runs.post_message(stale, "Third", key=uuid.uuid4()))

    assert last.reply.parent is not None
    assert last.reply.parent.parent == newest.reply


@long_answers
def test_stop_keeps_the_text(runtime: Runtime, alices_actor: Actor) -> None:
    run = start(runtime, alices_actor)
    wait_for_text(runtime, run)

    runtime.runs.cancel(run)
    runtime.runs.cancel(run)
    wait_for_end(run)

    assert run.status == RunStatus.STOPPED
    assert run.reply.text
    runtime.runs.cancel(run)
    assert runtime.log.read(run.pk)[-1].event == RunFinished("stopped")


def test_regenerate_keeps_the_old_answer_beside_the_new(runtime: Runtime, alices_actor: Actor) -> None:
    first = wait_for_end(start(runtime, alices_actor))

    second = wait_for_end(runtime.runs.regenerate(first.reply))

    assert second.reply.parent == first.reply.parent
    assert conversation_of(second).leaf == second.reply
    first.reply.refresh_from_db()
    assert first.reply.text


@long_answers
def test_continue_goes_on_after_the_text_that_is_there(runtime: Runtime, alices_actor: Actor) -> None:
    first = start(runtime, alices_actor)
    wait_for_text(runtime, first)
    runtime.runs.cancel(first)
    before = wait_for_end(first).reply.text

    second = wait_for_end(runtime.runs.continue_message(first.reply))

    assert second.reply == first.reply
    assert second.reply.text.startswith(before)
    assert len(second.reply.text) > len(before)
    told = ReplyBuilder.of(runtime.log.read(second.pk))
    assert tuple(told.parts) == second.reply.content


def test_a_continue_that_fails_at_once_keeps_the_text(runtime: Runtime, alices_actor: Actor) -> None:
    first = wait_for_end(start(runtime, alices_actor))
    before = first.reply.text
    Conversation.objects.filter(pk=first.conversation_id).update(model="no-such-model")

    reply = Message.objects.get(pk=first.reply_id)
    second = wait_for_end(runtime.runs.continue_message(reply))

    second.reply.refresh_from_db()
    assert second.status == RunStatus.ERROR
    assert second.reply.text == before != ""


def test_a_retry_with_another_model_mends_a_missing_one(runtime: Runtime, alices_actor: Actor) -> None:
    failed = wait_for_end(
        runtime.runs.start_conversation(alices_actor, "Hello", key=uuid.uuid4(), model="no-such-model")
    )

    retried = wait_for_end(runtime.runs.regenerate(failed.reply, model="tiny"))

    assert (failed.status, retried.status) == (RunStatus.ERROR, RunStatus.DONE)
    assert conversation_of(retried).model == "tiny"


@long_answers
def test_shutdown_keeps_the_text_and_says_interrupted(runtime: Runtime, alices_actor: Actor) -> None:
    run = start(runtime, alices_actor)
    wait_for_text(runtime, run)

    runtime.close()

    run.refresh_from_db()
    assert run.status == RunStatus.INTERRUPTED
    assert run.reply.text
    assert run.error_hint


@pytest.mark.parametrize("text", ["", "  \n\t ", "\x00", "x" * (MAX_MESSAGE_CHARS + 1), "\ud83d"])
def test_bad_text_is_refused_and_leaves_nothing(runtime: Runtime, alices_actor: Actor, text: str) -> None:
    with pytest.raises(InvalidInput):
        start(runtime, alices_actor, text)

    assert not Conversation.objects.exists()


def test_a_missing_model_is_told_in_the_answers_place(runtime: Runtime, alices_actor: Actor) -> None:
    run = runtime.runs.start_conversation(alices_actor, "Hello", key=uuid.uuid4(), model="no-such-model")

    wait_for_end(run)

    assert run.status == RunStatus.ERROR
    assert run.error_code == "model_not_found"
    assert run.error_hint


@long_answers
def test_deleting_while_an_answer_is_written_stops_it(runtime: Runtime, alices_actor: Actor) -> None:
    run = start(runtime, alices_actor)
    wait_for_text(runtime, run)

    runtime.runs.delete(conversation_of(run))
    wait_for_end(run)

    assert run.status == RunStatus.STOPPED
    runtime.runs.restore(conversation_of(run))
    assert Conversation.objects.kept().filter(pk=run.conversation_id).exists()


def test_one_person_never_finds_anothers_conversation_by_its_key(
    runtime: Runtime, alices_actor: Actor, bob: object
) -> None:
    key = uuid.uuid4()
    hers = runtime.runs.start_conversation(alices_actor, "Mine", key=key)

    his = runtime.runs.start_conversation(Actor(user=bob), "Mine", key=key)

    assert his.conversation_id != hers.conversation_id
    wait_for_end(his)
    wait_for_end(hers)
