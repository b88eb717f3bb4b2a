"""Runs that store nothing: their readers, their end, and answers kept under an idempotency key."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync

from chat.domain.errors import Conflict
from chat.domain.events import RunFailed, RunFinished
from chat.domain.messages import ChatMessage
from chat.domain.params import GenerationRequest, SamplingParams
from chat.domain.reply import ReplyBuilder
from chat.models import LoggedEvent, Run
from chat.runs.task import Task
from chat.runtime import Runtime
from tests.conftest import long_answers, wait_until


def task(text: str = "Hello", max_tokens: int = 12) -> Task:
    params = SamplingParams(temperature=0.0, max_tokens=max_tokens)
    return Task(GenerationRequest((ChatMessage.of("user", text),), params), is_trimmed=False)


def read_to_end(runtime: Runtime, run_id: int) -> ReplyBuilder:
    async def follow() -> ReplyBuilder:
        reply = ReplyBuilder()
        async for batch in runtime.log.follow(run_id):
            for numbered in batch:
                reply.apply(numbered)
        return reply

    return async_to_sync(follow)()


def test_the_answer_is_read_and_nothing_is_stored(runtime: Runtime) -> None:
    with runtime.detached.open(task()) as run_id:
        reply = read_to_end(runtime, run_id)

    assert run_id < 0
    assert reply.terminal == RunFinished("length")
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 12
    assert not Run.objects.exists()
    assert not LoggedEvent.objects.exists()
    assert runtime.log.read(run_id) == []


@long_answers
def test_a_reader_that_leaves_ends_the_run(runtime: Runtime, max_tokens: int) -> None:
    with runtime.detached.open(task(max_tokens=max_tokens)) as run_id:
        wait_until(lambda: len(runtime.log.read(run_id)) > 2)
        assert runtime.pool.num_live == 1

    wait_until(lambda: runtime.pool.num_live == 0)
    assert runtime.log.read(run_id) == []


@long_answers
def test_two_readers_of_one_key_share_the_run_until_the_last_leaves(
    runtime: Runtime, max_tokens: int
) -> None:
    asked = task(max_tokens=max_tokens)
    with runtime.detached.open(asked, key="k", fingerprint="f") as first:
        with runtime.detached.open(asked, key="k", fingerprint="f") as second:
            assert first == second
        assert runtime.pool.num_live == 1
    wait_until(lambda: runtime.pool.num_live == 0)


def test_the_same_key_again_is_given_the_same_answer(runtime: Runtime) -> None:
    with runtime.detached.open(task(), key="k", fingerprint="f") as first:
        answer = read_to_end(runtime, first)
    with runtime.detached.open(task(), key="k", fingerprint="f") as again:
        same = read_to_end(runtime, again)

    assert again == first
    assert same.parts == answer.parts


def test_a_failure_is_not_kept(runtime: Runtime) -> None:
    asked = task("word " * 3000)
    with runtime.detached.open(asked, key="k", fingerprint="f") as first:
        assert isinstance(read_to_end(runtime, first).terminal, RunFailed)
    with runtime.detached.open(asked, key="k", fingerprint="f") as again:
        assert again != first


def test_a_key_belongs_to_one_request(runtime: Runtime) -> None:
    with runtime.detached.open(task(), key="k", fingerprint="f") as run_id:
        read_to_end(runtime, run_id)

    with pytest.raises(Conflict, match="Idempotency-Key"):
        runtime.detached.enter(task("Something else"), key="k", fingerprint="g")
