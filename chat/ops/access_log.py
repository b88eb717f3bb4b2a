"""One log line for each request, when its answer has been sent: also for streams, and whatever the server is."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from chat.http.limits import App, Message, Receive, Scope, Send
from chat.ops.http_counts import count_request
from chat.ops.logs import hide_secrets

logger = logging.getLogger("chat.access")

# Asked for every few seconds by whatever watches the server.
QUIET_PATHS = frozenset({"/health/live", "/health/ready"})


class AccessLog:
    """Writes method, path, status, time and size. Never query strings: people search in them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"] in QUIET_PATHS:
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        began = time.monotonic()
        try:
            await self._app(scope, receive, answer.send)
        finally:
            count_request(scope["method"], answer.status)
            _write_line(scope, answer, int((time.monotonic() - began) * 1000))


@dataclass(slots=True)
class _Answer:
    """What has been sent so far; status 0 when the client left before any of it."""

    to_client: Send
    status: int = 0
    num_bytes: int = 0

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.num_bytes += len(message.get("body", b""))
        await self.to_client(message)


def _write_line(scope: Scope, answer: _Answer, duration_ms: int) -> None:
    path = hide_secrets(scope["path"])
    fields = {
        "method": scope["method"],
        "path": path,
        "status": answer.status,
        "duration_ms": duration_ms,
        "num_bytes": answer.num_bytes,
        "client": scope["client"][0] if scope.get("client") else "",
    }
    text = "%s %s %s in %s ms"
    logger.info(text, scope["method"], path, answer.status, duration_ms, extra=fields)
