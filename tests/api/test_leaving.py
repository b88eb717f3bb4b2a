"""A client that leaves ends what it asked for, and a stream that breaks says so: the APIs that store nothing."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.test import AsyncClient

from chat.domain.events import RunFinished, TextDelta
from chat.models import ApiKey, User
from chat.runs.log import EventLog
from chat.runs.merge import DeltaMerger
from chat.runtime import Runtime
from tests.conftest import long_answers, wait_until

CHAT, NDJSON = "/v1/chat/completions", "/v1/generate_response"
HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "Hello!"}]}
# They interrupt answers: an engine that another test has warmed up writes them too soon.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("new_engines")]


@pytest.fixture
def key(alice: User) -> str:
    return ApiKey.objects.issue(alice, "test")[1]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How each run ended. They write so slowly that on a busy machine, too, they are far from their end."""
    ends: list[object] = []
    finish, push = EventLog.finish, DeltaMerger.push

    def noted(log: EventLog, run_id: int, event: Any, save: Callable[[], None]) -> Any:
        ends.append(event)
        return finish(log, run_id, event, save)

    def unhurried(merger: DeltaMerger, delta: TextDelta) -> None:
        time.sleep(0.05)
        push(merger, delta)

    monkeypatch.setattr(EventLog, "finish", noted)
    monkeypatch.setattr(DeltaMerger, "push", unhurried)
    return ends


async def post(path: str, body: dict[str, Any], key: str) -> StreamingHttpResponse:
    response: StreamingHttpResponse = await AsyncClient().post(
        path, json.dumps(body), content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )
    return response


async def eventually(is_true: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, is_true)


@long_answers
@pytest.mark.parametrize(("path", "extra"), [(CHAT, {"n": 3}), (NDJSON, {})])
@pytest.mark.parametrize("is_read", [True, False])
async def test_a_client_that_leaves_a_stream_ends_its_runs(
    runtime: Runtime, key: str, ends: list[object], path: str, extra: dict[str, int], is_read: bool
) -> None:
    num_runs = extra.get("n", 1)
    response = await post(path, HELLO | {"stream": True} | extra, key)
    if is_read:
        await anext(aiter(response.streaming_content))  # type: ignore[arg-type]

    response.close()  # as the server does when the connection is gone

    await eventually(lambda: len(ends) == num_runs)
    assert ends == [RunFinished("stopped")] * num_runs


@long_answers
@pytest.mark.parametrize("path", [CHAT, NDJSON])
async def test_a_stream_that_nobody_ever_took_ends_its_run(
    runtime: Runtime, key: str, ends: list[object], path: str
) -> None:
    response = await post(path, HELLO | {"stream": True}, key)

    del response

    for _ in range(
        200
    ):  # until the event loop lets go of it; the test client's responses refer to themselves
        await asyncio.sleep(0.1)
        if gc.collect() and ends:
            break
    await eventually(lambda: len(ends) == 1)
    assert ends == [RunFinished("stopped")]


@long_answers
@pytest.mark.parametrize("path", [CHAT, NDJSON])
async def test_one_that_leaves_without_a_stream_does_too(
    runtime: Runtime, key: str, ends: list[object], path: str
) -> None:
    asking = asyncio.create_task(post(path, HELLO, key))
    await eventually(lambda: runtime.pool.num_live == 1)

    asking.cancel()  # as Django does with the view when the connection is gone

    await eventually(lambda: len(ends) == 1)
    assert ends == [RunFinished("stopped")]


@long_answers
async def test_an_engine_that_breaks_ends_the_stream_with_an_error(runtime: Runtime, key: str) -> None:
    response = await post(CHAT, HELLO | {"stream": True}, key)
    stream = aiter(response.streaming_content)  # type: ignore[arg-type]
    await anext(stream)

    await sync_to_async(runtime.registry.close)()
    rest = b"".join([piece async for piece in stream]).decode()

    *_, error, done = rest.strip().split("\n\n")
    assert set(json.loads(error.removeprefix("data: "))["error"]) == {"message", "type", "param", "code"}
    assert done == "data: [DONE]"
