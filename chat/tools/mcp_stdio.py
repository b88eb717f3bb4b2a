"""An MCP server that is a program of this machine: JSON lines over its standard input and output.

The SDK's own `stdio_client` keeps what comes without a line end, however much that is, does not say when the program
has ended, and lets it write into the server's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from chat.domain.mcp import McpServerConfig
from chat.tools.mcp_flood import MAX_MESSAGE_BYTES, FloodGuard, McpServerLost

logger = logging.getLogger(__name__)

EXIT_TIMEOUT_S = 0.5
MAX_LAST_WORDS_BYTES = 1000
_INHERITED = ("PATH", "HOME", "LANG")

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]


@asynccontextmanager
async def stdio_transport(config: McpServerConfig) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """What the SDK's client speaks over. The program begins and ends with the context.

    Raises: OSError when there is no such program; McpServerLost, inside an ExceptionGroup, when it ends or floods.
    """
    process = await asyncio.create_subprocess_exec(
        *config.command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=MAX_MESSAGE_BYTES,
        env=_environment(config),
        cwd=config.cwd,
        start_new_session=True,  # Ctrl-C reaches Parley alone, and the end reaches all that the program began
    )
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception]()
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage]()
    last_words = _LastWords()
    try:
        with to_session, incoming, outgoing, from_session:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_read_messages, process, to_session, last_words)
                tasks.start_soon(_write_messages, process, from_session)
                tasks.start_soon(_read_words, process, last_words)
                yield incoming, outgoing
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


class _LastWords:
    """The end of what a program says besides its messages, which mostly tells why it ended."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.are_said = anyio.Event()

    def add(self, words: bytes) -> None:
        self._bytes += words
        del self._bytes[:-MAX_LAST_WORDS_BYTES]

    def __str__(self) -> str:
        return self._bytes.decode("utf-8", "replace").strip()


def _environment(config: McpServerConfig) -> dict[str, str]:
    """Not the server's own, which holds secrets."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | dict(config.env)


async def _read_messages(
    process: Process, to_session: MemoryObjectSendStream[SessionMessage | Exception], last_words: _LastWords
) -> None:
    assert process.stdout
    guard = FloodGuard()
    try:
        while line := await process.stdout.readline():
            guard.count(len(line))
            if (message := _message_in(line)) is None:
                last_words.add(line)  # some programs greet on standard output
            else:
                await to_session.send(message)
    except ValueError as exc:
        raise McpServerLost(f"it sent a line of more than {MAX_MESSAGE_BYTES:,} bytes") from exc
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return  # nobody listens any more
    with anyio.move_on_after(EXIT_TIMEOUT_S):
        await last_words.are_said.wait()
    raise McpServerLost(f"it has ended{f', saying: {last_words}' if str(last_words) else ''}")


def _message_in(line: bytes) -> SessionMessage | None:
    """None for what is none. Raises: McpServerLost for one that is broken, or too deep to be read."""
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as exc:
        if b'"jsonrpc"' in line:
            raise McpServerLost("it sent a message that cannot be read") from exc
        return None


async def _write_messages(process: Process, from_session: MemoryObjectReceiveStream[SessionMessage]) -> None:
    assert process.stdin
    with from_session, contextlib.suppress(OSError):  # who sends next is told that the stream is closed
        async for item in from_session:
            text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _read_words(process: Process, last_words: _LastWords) -> None:
    assert process.stderr
    guard = FloodGuard()
    while words := await process.stderr.read(MAX_LAST_WORDS_BYTES):
        guard.count(len(words))
        last_words.add(words)
    last_words.are_said.set()


async def _end(process: Process) -> None:
    """Closing its input asks a program to end; then it is killed, with all that it began."""
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(EXIT_TIMEOUT_S):
            await _see_it_end(process)
            return
    except TimeoutError:
        logger.debug("process %d is killed: it did not end by itself", process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):  # a grandchild in a session of its own may hold the pipes
        async with asyncio.timeout(EXIT_TIMEOUT_S):
            await _see_it_end(process)


async def _see_it_end(process: Process) -> None:
    """Reading to the end matters: asyncio takes a process for running as long as its pipes are open."""
    for pipe in (process.stdout, process.stderr):
        assert pipe
        while await pipe.read(65536):
            pass
    await process.wait()
