"""The event log: numbering, storing, following, and what readers see when the database does not answer."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from chat.domain.events import Numbered, RunFinished, TextDelta, is_terminal
from chat.models import Conversation, LoggedEvent, Message, Run
from chat.runs.log import EventLog
from tests.conftest import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log(transactional_db: None) -> Iterator[EventLog]:
    log = EventLog()
    yield log
    log.close()


def make_run() -> Run:
    conversation = Conversation.objects.create(guest_key=uuid.uuid4(), updated_at=timezone.now())
    question = Message.objects.create(conversation=conversation, role="user")
    reply = Message.objects.create(conversation=conversation, parent=question, role="assistant")
    return Run.objects.create(conversation=conversation, reply=reply)


def open_run(log: EventLog) -> Run:
    run = make_run()
    log.open(run.pk, run.created_at)
    return run


async def follow(log: EventLog, run_id: int, after: int = 0) -> list[Numbered]:
    return [numbered async for batch in log.follow(run_id, after) for numbered in batch]


def no_save() -> None:
    """Nothing to save with the end."""


def write_words(log: EventLog, run: Run, num_words: int) -> None:
    for i in range(num_words):
        log.append(run.pk, TextDelta(f"{i} "))
    log.finish(run.pk, RunFinished("stop"), no_save)


def test_events_are_numbered_without_gaps_and_stored(log: EventLog) -> None:
    run = open_run(log)

    write_words(log, run, 20)
    log.flush()

    rows = list(LoggedEvent.objects.filter(run=run).order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, 22))
    assert rows[3].numbered.event == TextDelta("3 ")
    assert is_terminal(rows[-1].numbered.event)


def test_a_finished_run_is_read_from_the_table_as_it_was_in_memory(log: EventLog) -> None:
    run = open_run(log)
    log.append(run.pk, TextDelta("héllo\n\u2028 \U0001f44b"))
    log.flush()
    live = log.read(run.pk)

    log.finish(run.pk, RunFinished("stop"), no_save)
    log.flush()

    assert log.read(run.pk)[:1] == live
    assert log.read(run.pk, after=1) == log.read(run.pk)[1:]


async def test_a_reader_who_comes_late_or_returns_misses_nothing(log: EventLog) -> None:
    run = await sync_to_async(open_run)(log)
    writer = threading.Thread(target=write_words, args=(log, run, 300))
    writer.start()

    early = asyncio.create_task(follow(log, run.pk))
    await asyncio.sleep(0.02)
    rest = await follow(log, run.pk, after=7)
    whole = await early
    await sync_to_async(writer.join)()
    replay = await follow(log, run.pk)

    assert [n.seq for n in whole] == list(range(1, 302))
    assert rest == whole[7:]
    assert replay == whole


async def test_many_runs_with_readers_that_drop_and_return_are_exact(log: EventLog) -> None:
    runs = [await sync_to_async(open_run)(log) for _ in range(20)]
    dice = random.Random(7)

    async def read_in_pieces(run: Run) -> list[Numbered]:
        seen: list[Numbered] = []
        while not (seen and is_terminal(seen[-1].event)):
            patience = dice.randrange(1, 30)
            async for batch in log.follow(run.pk, after=len(seen)):
                seen += batch
                patience -= 1
                if patience == 0:
                    break
        return seen

    threads = [threading.Thread(target=write_words, args=(log, run, 100)) for run in runs]
    readers = [asyncio.create_task(read_in_pieces(run)) for run in runs]
    for thread in threads:
        thread.start()
    results = await asyncio.gather(*readers)

    for seen in results:
        assert [n.seq for n in seen] == list(range(1, 102))


async def test_silence_gives_a_tick(log: EventLog) -> None:
    run = await sync_to_async(open_run)(log)
    log.append(run.pk, TextDelta("a"))

    batches = []
    async for batch in log.follow(run.pk, tick_s=0.1):
        batches.append(batch)
        if not batch:
            break

    assert [len(batch) for batch in batches] == [1, 0]


def test_an_event_is_shown_only_once_it_is_stored(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    run, may_store, store = open_run(log), threading.Event(), EventLog._store_patiently

    def store_when_told(log: EventLog, writes: list[Any]) -> None:
        may_store.wait(10)
        store(log, writes)

    monkeypatch.setattr(EventLog, "_store_patiently", store_when_told)
    log.append(run.pk, TextDelta("a"))
    at_once = log.read(run.pk)
    may_store.set()
    log.flush()

    assert at_once == []
    assert [numbered.event for numbered in log.read(run.pk)] == [TextDelta("a")]
    assert LoggedEvent.objects.filter(run=run).count() == 1


def test_while_the_database_is_locked_the_text_flows_but_the_end_waits(log: EventLog) -> None:
    run = open_run(log)
    other = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        log.append(run.pk, TextDelta("shown though not stored"))
        log.finish(run.pk, RunFinished("stop"), no_save)
        wait_until(lambda: log.read(run.pk), timeout_s=20)
        time.sleep(0.3)
        assert [n.seq for n in log.read(run.pk)] == [1]
    finally:
        other.execute("ROLLBACK")
        other.close()

    assert log.flush()
    assert [n.seq for n in log.read(run.pk)] == [1, 2]


def test_a_run_deleted_in_the_middle_harms_no_other(log: EventLog) -> None:
    doomed, other = open_run(log), open_run(log)
    doomed.conversation.delete()

    write_words(log, doomed, 3)
    write_words(log, other, 3)

    assert log.flush()
    assert LoggedEvent.objects.filter(run=other).count() == 4
    assert not LoggedEvent.objects.filter(run_id=doomed.pk).exists()


def test_the_end_is_stored_in_the_same_transaction_as_what_it_saves(log: EventLog) -> None:
    run = open_run(log)
    seen_in_transaction: list[bool] = []

    def save() -> None:
        seen_in_transaction.append(connection.in_atomic_block)
        Run.objects.filter(pk=run.pk).update(status="done")

    log.finish(run.pk, RunFinished("stop"), save)
    log.flush()

    run.refresh_from_db()
    assert seen_in_transaction == [True]
    assert run.status == "done"


def test_whoever_sees_the_end_in_the_database_reads_all_events(log: EventLog) -> None:
    run = open_run(log)
    seen: list[Numbered] = []

    def save() -> None:
        transaction.on_commit(lambda: seen.extend(log.read(run.pk)))

    log.append(run.pk, TextDelta("a word"))
    log.finish(run.pk, RunFinished("stop"), save)
    log.flush()

    assert [numbered.event for numbered in seen] == [TextDelta("a word"), RunFinished("stop")]
