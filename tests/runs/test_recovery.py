"""What a server finds when it starts after a crash."""

from __future__ import annotations

import uuid

from django.utils import timezone

from chat.domain.events import Event, RunFailed, RunStarted, TextDelta, event_to_dict, kind_of
from chat.models import Actor, Conversation, LoggedEvent, Message, Run, RunStatus
from chat.runtime import Runtime
from tests.conftest import wait_for_end


def crashed_run(actor: Actor, status: str, *events: Event) -> Run:
    """A run as a killed server leaves it: rows, but nobody who works on it."""
    conversation = Conversation.objects.create(updated_at=timezone.now(), **actor.ownership)
    question = Message.objects.create(
        conversation=conversation, role="user", parts=[{"kind": "text", "text": "Tell me a tale"}]
    )
    reply = Message.objects.create(conversation=conversation, parent=question, role="assistant")
    conversation.leaf = reply
    conversation.save()
    run = Run.objects.create(conversation=conversation, reply=reply, status=status)
    for seq, event in enumerate(events, start=1):
        data = event_to_dict(event)
        LoggedEvent.objects.create(run=run, seq=seq, kind=kind_of(event), data=data, at_ms=seq)
    return run


def test_a_run_caught_in_the_middle_ends_as_interrupted_with_its_text(
    runtime: Runtime, alices_actor: Actor
) -> None:
    run = crashed_run(
        alices_actor, "running", RunStarted("tiny"), TextDelta("Once upon "), TextDelta("a time")
    )

    runtime.start()
    wait_for_end(run)

    run.reply.refresh_from_db()
    last = runtime.log.read(run.pk)[-1]
    assert run.status == RunStatus.INTERRUPTED
    assert run.reply.text == "Once upon a time"
    assert last.seq == 4
    assert isinstance(last.event, RunFailed)
    assert last.event.code == "interrupted"


def test_an_interrupted_run_can_be_continued(runtime: Runtime, alices_actor: Actor) -> None:
    run = crashed_run(alices_actor, "running", RunStarted("tiny"), TextDelta("Once upon a time"))
    runtime.start()
    wait_for_end(run)
    run.reply.refresh_from_db()

    again = wait_for_end(runtime.runs.continue_message(run.reply))

    assert again.status == RunStatus.DONE
    assert again.reply.text.startswith("Once upon a time")


def test_a_queued_run_begins_after_the_restart(runtime: Runtime, alices_actor: Actor) -> None:
    run = crashed_run(alices_actor, "queued")

    runtime.start()
    wait_for_end(run)

    assert run.status == RunStatus.DONE
    assert run.reply.text


def test_an_ended_run_is_left_alone(runtime: Runtime, alices_actor: Actor) -> None:
    ended = wait_for_end(runtime.runs.start_conversation(alices_actor, "Hello", key=uuid.uuid4()))
    finished_at = ended.finished_at

    runtime.start()

    ended.refresh_from_db()
    assert (ended.status, ended.finished_at) == (RunStatus.DONE, finished_at)
