"""Daphne's server, hardened: back-pressure, and a shutdown that saves before it cuts."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)

from chat.ops.daphne_requests import Bounds, GuardedFactory, GuardedRequest

# Daphne's 8 KB make 6,000 messages of an upload of 50 MB, which took twice as long.
BODY_PART_BYTES = 2**18


class GuardedServer(Server):
    """Daphne's server. Mends: no back-pressure; a shutdown that cuts streams before runs are saved."""

    def __init__(
        self,
        application: Any,
        *,
        host: str,
        port: int,
        bounds: Bounds,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
        has_signal_handlers: bool = True,
    ) -> None:
        endpoints = build_endpoint_description_strings(host=host, port=port)
        super().__init__(
            application,
            endpoints,
            signal_handlers=has_signal_handlers,
            server_name="",
            request_buffer_size=BODY_PART_BYTES,
        )
        self.bounds = bounds
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._ports: list[Any] = []
        self.uploads: set[GuardedRequest] = set()

    def run(self) -> None:
        """Serve until a signal. Daphne's own `run` cannot be given another factory."""
        self.connections: dict[Any, dict[str, Any]] = {}
        self.http_factory = GuardedFactory(self)
        self.ws_factory = self._websocket_factory()
        errors_only = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
        observer = FilteringLogObserver(STDLibLogObserver("twisted"), [errors_only])
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
        reactor.callLater(1, self.application_checker)
        reactor.callLater(2, self.timeout_checker)
        for description in self.endpoints:
            listening = serverFromString(reactor, description).listen(self.http_factory)
            listening.addCallbacks(self.listen_success, self.listen_error)
        asyncio.set_event_loop(reactor._asyncioEventloop)
        reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)
        if not self.abort_start:
            reactor.run(installSignalHandlers=self.signal_handlers)

    @property
    def num_websockets(self) -> int:
        """Open ones; they have left their HTTP channel behind."""
        return sum(isinstance(connection, WebSocketProtocol) for connection in self.connections)

    def listen_success(self, port: Any) -> None:
        """Daphne's callback: a socket is open."""
        self._ports.append(port)
        super().listen_success(port)
        reactor.callWhenRunning(self._on_ready)

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Send a part of an answer; returns when the client can take more."""
        await super().handle_reply(protocol, message)
        if isinstance(protocol, GuardedRequest):
            await protocol.drained()

    def _websocket_factory(self) -> WebSocketFactory:
        factory = WebSocketFactory(self, server="")
        factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=False,
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
        )
        return factory

    def _shut_down(self) -> Deferred[None]:
        """Twisted's callback on SIGTERM and SIGINT; the reactor stops when the result is there."""
        watchdog = threading.Timer(self.bounds.exit_timeout_s, os._exit, [1])
        watchdog.daemon = True
        watchdog.start()
        return Deferred.fromFuture(asyncio.ensure_future(self._end_everything()))

    async def _end_everything(self) -> None:
        """Take no more connections, end the runs with their text saved, let streams say so, cut the rest."""
        for port in self._ports:
            port.stopListening()
        await asyncio.get_running_loop().run_in_executor(None, self._on_stop)
        if apps := self._live_apps():
            await asyncio.wait(apps, timeout=self.bounds.stream_grace_s)
        if apps := self._live_apps():
            for app in apps:
                app.cancel()
            await asyncio.wait(apps, timeout=self.bounds.stream_grace_s)

    def _live_apps(self) -> list[asyncio.Future[None]]:
        """Also when a connection has no app yet, as with a half-sent header: there Daphne raises."""
        apps = [details.get("application_instance") for details in self.connections.values()]
        return [app for app in apps if app is not None and not app.done()]
