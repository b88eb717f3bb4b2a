"""The client of all servers: streams chat completions, each over a connection of its own.

It shares the machine with the servers, so it only notes when bytes come, and reads them after the last one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# The defaults of llama-server, said to all, so that all sample in the same way.
SAMPLING = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
TIMEOUT_S = 600.0

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running server; `keys` has an API key for each person, none where the server knows no people."""

    name: str
    port: int
    model: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; all times are in seconds of the monotonic clock. `arrivals_s` has one time for each piece of text."""

    asked_at_s: float
    ended_at_s: float
    arrivals_s: tuple[float, ...]
    text: str
    num_tokens: int
    num_prompt_tokens: int

    @property
    def first_ms(self) -> float:
        """From the question to the first text."""
        return (self.arrivals_s[0] - self.asked_at_s) * 1000

    def worst_gap_ms(self, since_s: float) -> float:
        """The longest silence that ended after `since_s`."""
        pairs = zip(self.arrivals_s, self.arrivals_s[1:], strict=False)
        return max((later - earlier for earlier, later in pairs if later > since_s), default=0.0) * 1000


class RequestFailed(Exception):
    """A server did not answer as it should; the message has what it said."""


async def ask(
    server: Endpoint,
    person: int,
    messages: list[Message],
    num_tokens: int,
    on_chunk: Callable[[], None] = lambda: None,
) -> Reply:
    """The answer of exactly `num_tokens` tokens; tells when a part of it comes. Raises: RequestFailed."""
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            asked_at_s = time.monotonic()
            writer.write(_request(server, person, messages, num_tokens))
            chunks = await _receive(reader, on_chunk)
        finally:
            writer.close()
    reply = _reply_of(asked_at_s, chunks)
    if reply.num_tokens != num_tokens:
        raise RequestFailed(f"{server.name} wrote {reply.num_tokens} tokens instead of {num_tokens}")
    return reply


def _request(server: Endpoint, person: int, messages: list[Message], num_tokens: int) -> bytes:
    body = {
        "model": server.model,
        "messages": messages,
        "max_tokens": num_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **SAMPLING,
    }
    content = json.dumps(body).encode()
    headers = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        "Connection: close",
    ]
    if server.keys:
        headers.append(f"Authorization: Bearer {server.keys[person % len(server.keys)]}")
    return "\r\n".join([*headers, "", ""]).encode() + content


async def _receive(reader: asyncio.StreamReader, on_chunk: Callable[[], None]) -> list[tuple[float, bytes]]:
    """The body's chunks with the times of their arrival. Raises: RequestFailed."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RequestFailed((head + await reader.read()).decode(errors="replace"))
    if b"transfer-encoding: chunked" not in head.lower():
        raise RequestFailed(f"the answer is no stream of chunks: {head.decode(errors='replace')}")
    chunks: list[tuple[float, bytes]] = []
    while size := int(await reader.readline(), 16):
        chunk = await reader.readexactly(size + 2)
        chunks.append((time.monotonic(), chunk[:-2]))
        on_chunk()
    return chunks


def _reply_of(asked_at_s: float, chunks: list[tuple[float, bytes]]) -> Reply:
    arrivals: list[float] = []
    text: list[str] = []
    usage: dict[str, Any] = {}
    rest = b""
    for arrived_at_s, chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line.removeprefix(b"data: "))
            usage = event.get("usage") or usage
            if event.get("error"):
                raise RequestFailed(str(event["error"]))
            pieces = [choice["delta"].get("content") for choice in event.get("choices", ())]
            if any(pieces):
                arrivals.append(arrived_at_s)
                text += filter(None, pieces)
    if not arrivals or not usage:
        raise RequestFailed(f"the answer has no text: {b''.join(chunk for _, chunk in chunks)!r}")
    return Reply(
        asked_at_s,
        chunks[-1][0],
        tuple(arrivals),
        "".join(text),
        usage["completion_tokens"],
        usage["prompt_tokens"],
    )
