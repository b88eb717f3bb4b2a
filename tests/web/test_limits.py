"""The ASGI layers in front of Django: limits that hold on every server, and the turnstile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.http.limits import Limits
from chat.http.turnstile import Turnstile


def scope_of(
    method: str = "POST", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any
) -> dict[str, Any]:
    fixed = [(b"host", b"localhost")]
    return {
        "type": "http",
        "method": method,
        "path": "/",
        "http_version": "1.1",
        "headers": [*fixed, *headers],
        **more,
    }


async def size_of_body(scope: Any, receive: Any, send: Any) -> None:
    """An app as Django is: it answers once the body is there, and not at all when the client leaves."""
    total, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        total += len(message["body"])
        has_more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(total).encode()})


async def ask(app: Any, scope: dict[str, Any], chunks: Iterable[bytes] = (b"",)) -> list[dict[str, Any]]:
    chunks = list(chunks)
    left = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, start=1)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_a_body_that_grows_too_long_is_413_on_any_server() -> None:
    app = Limits(size_of_body, max_body_bytes=100)

    sent = await ask(app, scope_of(), [b"x" * 60, b"x" * 60])

    assert [message.get("status") for message in sent] == [413, None]


async def test_a_body_of_just_the_limit_passes() -> None:
    app = Limits(size_of_body, max_body_bytes=100)

    sent = await ask(app, scope_of(), [b"x" * 60, b"x" * 40])

    assert (sent[0]["status"], sent[1]["body"]) == (200, b"100")


@pytest.mark.parametrize("length", [b"101", b"9" * 5000])
async def test_an_announced_body_is_413_before_it_comes(length: bytes) -> None:
    app = Limits(size_of_body, max_body_bytes=100)

    sent = await ask(app, scope_of(headers=[(b"content-length", length)]))

    assert sent[0]["status"] == 413


UUID = "0b2b3b7e-6a86-4b77-b4f5-1f0a6f8f3c11"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/attachments/", 200),
        (f"/attachments/{UUID}/", 200),
        (f"/c/{UUID}/attachments", 200),
        (f"/collections/{UUID}/documents", 200),
        (f"/c/{UUID}/messages", 413),
        (f"/attachments/{UUID}/more", 413),
        ("/attachments/x/", 413),
        ("/", 413),
    ],
)
async def test_only_requests_that_bring_files_may_be_long(path: str, status: int) -> None:
    app = Limits(size_of_body, max_body_bytes=100, max_upload_bytes=1000)

    long = await ask(app, scope_of(path=path), [b"x" * 500, b"x" * 500])
    too_long = await ask(app, scope_of(path=path), [b"x" * 500, b"x" * 501])

    assert (long[0]["status"], too_long[0]["status"]) == (status, 413)


async def test_reading_a_route_for_files_takes_no_long_body() -> None:
    app = Limits(size_of_body, max_body_bytes=100, max_upload_bytes=1000)

    sent = await ask(app, scope_of("GET", path="/attachments/"), [b"x" * 500])

    assert sent[0]["status"] == 413


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get", "FOO"])
async def test_unknown_methods_are_405(method: str) -> None:
    sent = await ask(Limits(size_of_body, max_body_bytes=100), scope_of(method))

    assert sent[0]["status"] == 405


async def test_a_client_cannot_say_where_the_program_is_mounted() -> None:
    seen: list[str] = []

    async def look(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["root_path"])

    for kind in ("http", "websocket"):
        await ask(Limits(look, max_body_bytes=100), scope_of(type=kind, root_path="/evil"))

    assert seen == ["", ""]


class SlowApp:
    """Answers when it is told to, and counts who is inside."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_end = asyncio.Event()
        self.num_inside = 0
        self.num_answered = 0

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.num_inside += 1
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.num_answered += 1
        await self.may_end.wait()


async def crowd(app: Any, number: int) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(ask(app, scope_of())) for _ in range(number)]
    await asyncio.sleep(0.01)
    return tasks


async def leave(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_turnstile_lets_so_many_in_and_no_more() -> None:
    slow = SlowApp()
    tasks = await crowd(Turnstile(slow, num_places=3), 10)

    assert slow.num_inside == 3

    await leave(tasks)


async def test_requests_share_as_many_threads_as_there_are_places() -> None:
    threads: set[int] = set()

    async def note_thread(_scope: Any, _receive: Any, _send: Any) -> None:
        threads.add(await sync_to_async(threading.get_ident)())

    turnstile = Turnstile(note_thread, num_places=2)
    await asyncio.gather(*(ask(turnstile, scope_of()) for _ in range(20)))

    assert 1 <= len(threads) <= 2


async def test_streams_that_have_begun_take_no_place() -> None:
    slow = SlowApp()
    slow.may_answer.set()
    tasks = await crowd(Turnstile(slow, num_places=3), 10)

    assert slow.num_answered == 10

    await leave(tasks)


async def test_views_that_wait_do_not_keep_others_out_for_ever() -> None:
    slow = SlowApp()
    tasks = await crowd(Turnstile(slow, num_places=3, max_wait_s=0.05), 10)
    await asyncio.sleep(0.1)

    assert slow.num_inside == 10

    await leave(tasks)


async def test_requests_that_fail_or_are_cut_off_give_their_place_back() -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError

    failing = Turnstile(fail, num_places=2, max_wait_s=5)
    async with asyncio.timeout(1):
        outcomes = await asyncio.gather(
            *(ask(failing, scope_of()) for _ in range(10)), return_exceptions=True
        )
    assert all(isinstance(outcome, RuntimeError) for outcome in outcomes)

    slow = SlowApp()
    turnstile = Turnstile(slow, num_places=2, max_wait_s=5)
    await leave(await crowd(turnstile, 5))
    tasks = await crowd(turnstile, 2)
    assert slow.num_inside == 4
    await leave(tasks)
