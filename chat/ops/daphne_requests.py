"""Daphne's connections and requests, hardened where they take too much from a client or harm the other clients.

Each class names what it mends. They use internals of Daphne 4.2.3 and Twisted, so the versions are pinned and
`tests/ops/test_daphne.py` tries every one of them against a real server.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import daphne.server  # noqa: F401 - installs Twisted's reactor on asyncio: before all that imports the reactor
from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.web.http import HTTPChannel

from chat.http.uploads import may_upload

if TYPE_CHECKING:
    from chat.ops.daphne_server import GuardedServer

logger = logging.getLogger(__name__)

# A refused client is read from a little longer, or it would see a reset instead of the answer.
LINGER_S = 2.0
LINGER_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may use of the server."""

    max_body_bytes: int
    max_connections: int = 1000
    # From the first byte of a request to its last: Twisted only limits the pause between two bytes.
    receive_timeout_s: float = 60.0
    # Only for requests that bring files, and only for so many at once: each lies on the disk and in memory for a while.
    max_upload_bytes: int = 0
    max_uploads: int = 16
    # A longer body has so much more time: 50 MB at half a megabit per second take 14 minutes.
    min_upload_bytes_per_s: int = 60_000
    # A reader that takes nothing for so long is cut off.
    write_stall_s: float = 30.0
    # After SIGTERM: for streams to send their last event once the runs have ended.
    stream_grace_s: float = 1.5
    # After SIGTERM: no thread may hold the process longer.
    exit_timeout_s: float = 11.0


class GuardedChannel(HTTPChannel):
    """A connection. Mends: half-sent requests live for ever; nobody knows that a reader does not read."""

    def __init__(self) -> None:
        super().__init__()
        self.writable = asyncio.Event()
        self.writable.set()
        self._receiving_since: float | None = None
        self._more_time_s = 0.0
        self._is_refusing = False
        self._num_discarded = 0

    def connectionMade(self) -> None:
        """Twisted's callback."""
        self.factory.open_channels.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Any) -> None:
        """Twisted's callback."""
        self.release()
        self.writable.set()
        super().connectionLost(reason)

    def release(self) -> None:
        """Count this connection no longer: it is closed, or a WebSocket now."""
        self.factory.open_channels.discard(self)

    def dataReceived(self, data: bytes) -> None:
        """Twisted's callback."""
        if self._is_refusing:
            self._discard(data)
            return
        if not self._handlingRequest:
            self._receiving_since = self._receiving_since or time.monotonic()
            allowed_s = self.factory.bounds.receive_timeout_s + self._more_time_s
            if time.monotonic() - self._receiving_since > allowed_s:
                self.refuse(b"408 Request Timeout")
                return
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        """Twisted's callback: the request is whole."""
        self._receiving_since, self._more_time_s = None, 0.0
        super().allContentReceived()

    def expect_upload(self, length: int) -> None:
        """A long body is on its way: it may take longer than a form."""
        self._more_time_s = length / self.factory.bounds.min_upload_bytes_per_s

    def pauseProducing(self) -> None:
        """Twisted's callback: 64 KB wait to be sent."""
        self.writable.clear()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """Twisted's callback: they are sent."""
        self.writable.set()
        super().resumeProducing()

    def refuse(self, status: bytes) -> None:
        """Answer before the request is whole, read no more of it, close."""
        if self._is_refusing:
            return
        self._is_refusing = True
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.transport.loseWriteConnection()
        reactor.callLater(LINGER_S, self.abort)

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        if self.transport is not None and self.transport.connected:
            self.transport.abortConnection()

    def _discard(self, data: bytes) -> None:
        self._num_discarded += len(data)
        if self._num_discarded > LINGER_BYTES:
            self.abort()


class GuardedRequest(WebRequest):
    """A request. Mends: bodies of any size are taken; a stream that fails leaves its client hanging; forms are parsed
    twice, and Twisted answers those that it does not understand with a bare 400.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parsePOSTFormSubmission = False  # the app does that
        self._num_left = self.server.bounds.max_body_bytes
        self._is_refused = False

    def gotLength(self, length: int | None) -> None:
        """Twisted's callback: the headers are read. `length` is None for a chunked body."""
        if length is not None and length > self._num_left:
            self._make_room(length)
            length = 0 if self._is_refused else length
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Twisted's callback: a part of the body."""
        self._num_left -= len(data)
        if self._num_left < 0:
            self._refuse_body()
        if not self._is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Twisted's callback: the body is read."""
        if not self._is_refused:
            super().requestReceived(command, path, version)

    def process(self) -> Any:
        """Hand the request to the app, without the header by which a client could move the mount point."""
        self.requestHeaders.removeHeader(b"daphne-root-path")
        channel = self.channel
        done = super().process()
        if self.transport is None:
            channel.release()
        return done

    def finish(self) -> None:
        """Twisted's callback: the answer is sent."""
        self.server.uploads.discard(self)
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        """Twisted's callback: the client has left."""
        self.server.uploads.discard(self)
        super().connectionLost(reason)

    def handle_exception(self, exception: Exception) -> None:
        """The app raised. In the middle of an answer only a cut connection tells the client so.

        Daphne sends a second response here, which raises and ends the reaper of dead connections for good.
        """
        if self.finished or self._disconnected:
            return
        if self._response_started:
            self.channel.abort()
        else:
            super().handle_exception(exception)

    async def drained(self) -> None:
        """Wait until the reader has taken what was sent, so that nothing piles up in memory."""
        if self.finished or self._disconnected or self.channel.writable.is_set():
            return
        try:
            await asyncio.wait_for(self.channel.writable.wait(), self.server.bounds.write_stall_s)
        except TimeoutError:
            logger.info("a reader that takes nothing is cut off")
            if not self._disconnected:
                self.channel.abort()

    def _make_room(self, length: int) -> None:
        """For a body that is longer than a form: if it may bring files, and not too many others do."""
        bounds = self.server.bounds
        path, _, _query = self.channel._path.decode("latin-1").partition("?")
        method = self.channel._command.decode("latin-1")
        if length > bounds.max_upload_bytes or not may_upload(method, path):
            self._refuse_body()
        elif len(self.server.uploads) >= bounds.max_uploads:
            self._refuse_body(b"503 Service Unavailable\r\nRetry-After: 5")
        else:
            self.server.uploads.add(self)
            self._num_left = length
            self.channel.expect_upload(length)

    def _refuse_body(self, status: bytes = b"413 Content Too Large") -> None:
        if not self._is_refused:
            self._is_refused = True
            self.requestHeaders.removeHeader(b"expect")  # else "100 Continue" would follow
            self.channel.refuse(status)


class _Busy(Protocol):
    """Tells a client that there are too many, without reading its request."""

    def connectionMade(self) -> None:
        """Twisted's callback."""
        self.transport.write(
            b"HTTP/1.1 503 Service Unavailable\r\n"
            b"Retry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        self.transport.loseConnection()


class GuardedFactory(HTTPFactory):
    """Makes connections. Mends: no bound on their number."""

    protocol = GuardedChannel

    def __init__(self, server: GuardedServer) -> None:
        super().__init__(server)
        self.bounds = server.bounds
        self.open_channels: set[GuardedChannel] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """Twisted's callback: somebody connects."""
        if len(self.open_channels) + self.server.num_websockets >= self.bounds.max_connections:
            return _Busy()
        channel = super().buildProtocol(addr)
        channel.requestFactory = GuardedRequest
        return channel

    def log(self, request: Any) -> None:
        """Nothing: `AccessLog` has written the line."""
