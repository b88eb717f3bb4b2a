"""What every request must keep to before Django sees it, whatever server is in front: an ASGI layer.

Daphne hands a request over when its body has arrived: `chat/ops/daphne_requests.py` counts bodies before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from chat.http.uploads import may_upload

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Limits:
    """Refuses odd requests early, and does not believe clients about where the program is mounted."""

    def __init__(
        self, app: App, *, max_body_bytes: int, max_upload_bytes: int = 0, root_path: str = ""
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_upload_bytes = max(max_upload_bytes, max_body_bytes)
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        else:
            # Daphne takes `Daphne-Root-Path` from any client: links would lead to a path of its choice.
            await self._app({**scope, "root_path": self._root_path}, receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_upload = may_upload(scope["method"], scope["path"])
        max_bytes = self._max_upload_bytes if is_upload else self._max_body_bytes
        if status := _refusal(scope, max_bytes):
            await refuse(send, status)
            return
        body = _CountedBody(receive, send, max_bytes)
        await self._app({**scope, "root_path": self._root_path}, body.receive, body.send)
        if body.is_too_long and not body.has_answer:
            await refuse(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _refusal(scope: Scope, max_bytes: int) -> HTTPStatus | None:
    hosts = _header_values(scope, b"host")
    if scope["method"] not in METHODS:
        return HTTPStatus.METHOD_NOT_ALLOWED
    if len(hosts) > 1 or (not hosts and scope.get("http_version") == "1.1"):
        return HTTPStatus.BAD_REQUEST
    lengths = _header_values(scope, b"content-length")
    if any(value.isdigit() and int(value[:20]) > max_bytes for value in lengths):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return None


class _CountedBody:
    """A request's body; one that grows too long looks to the app like a client that has gone."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._left = max_bytes
        self.has_answer = False

    @property
    def is_too_long(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if message.get("more_body"):
            # The rest is there already: without a pause all others would wait until 50 MB are written to the disk.
            await asyncio.sleep(0)
        return {"type": "http.disconnect"} if self.is_too_long else message

    async def send(self, message: Message) -> None:
        self.has_answer = True
        await self._send(message)


async def refuse(send: Send, status: HTTPStatus) -> None:
    """Answer with the bare status and close the connection, because its body is not read."""
    await answer(send, status.value, f"{status.value} {status.phrase}\n".encode(), (b"connection", b"close"))


async def refuse_websocket(_scope: Scope, _receive: Receive, send: Send) -> None:
    """There are none; Channels would write a traceback for each that is tried."""
    await send({"type": "websocket.close"})


async def answer(send: Send, status: int, text: bytes, *headers: tuple[bytes, bytes]) -> None:
    """A whole plain-text answer."""
    fixed = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": text})


def _header_values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]
