"""An MCP server that is reached over HTTP ("streamable HTTP"), with bounds on what it may send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import httpx2
from mcp.client.streamable_http import streamable_http_client

from chat.domain.mcp import McpServerConfig
from chat.tools.mcp_flood import MAX_MESSAGE_BYTES, FloodGuard, McpServerLost
from chat.tools.mcp_stdio import Incoming, Outgoing

CONNECT_TIMEOUT_S = 10.0
STREAM_TIMEOUT_S = 300.0


@asynccontextmanager
async def http_transport(config: McpServerConfig) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """What the SDK's client speaks over. Redirects are followed only within the server's own origin.

    Raises: httpx2.HTTPError or McpServerLost, inside an ExceptionGroup, when the server does not do its part.
    """
    client = httpx2.AsyncClient(
        headers={"User-Agent": "Parley", **config.headers, "Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(CONNECT_TIMEOUT_S, read=STREAM_TIMEOUT_S),
        event_hooks={"response": [_bound]},
    )
    # A session that is left ends by itself; a server that hangs must not hold the way out.
    streams = streamable_http_client(
        config.url, http_client=client, terminate_on_close=False, max_sse_event_size=MAX_MESSAGE_BYTES
    )
    async with client, streams as (incoming, outgoing):
        yield cast(Incoming, incoming), cast(Outgoing, outgoing)


async def _bound(response: httpx2.Response) -> None:
    """Raises: McpServerLost for a compressed answer, whose size nobody knows."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise McpServerLost("its answer is compressed, which was not asked for")
    is_stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
    body = cast(httpx2.AsyncByteStream, response.stream)
    response.stream = _BoundedStream(body, None if is_stream else MAX_MESSAGE_BYTES)


class _BoundedStream(httpx2.AsyncByteStream):
    """Passes the bytes on. Raises: McpServerLost when they are too many."""

    def __init__(self, body: httpx2.AsyncByteStream, max_bytes: int | None) -> None:
        self._body = body
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        guard = FloodGuard()
        num_bytes = 0
        async for chunk in self._body:
            guard.count(len(chunk))
            num_bytes += len(chunk)
            if self._max_bytes is not None and num_bytes > self._max_bytes:
                raise McpServerLost(f"it sent an answer of more than {self._max_bytes:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._body.aclose()
