"""Lets a few requests through at a time, so that a burst of them does not starve the event loop.

Each request that Django works on has a thread, and all threads share one interpreter. With 50 requests at once on two
busy cores the event loop, on which all streams and `/health/live` depend, waited up to 0.7 s for its turn; with four
at a time up to 0.14 s, and the pages themselves came in half the time.
"""

from __future__ import annotations

import asyncio

from chat.http.limits import App, Message, Receive, Scope, Send

NUM_PLACES = 4
# A view may wait for something else than the processor; it must not keep the others out for ever.
MAX_WAIT_S = 5.0


class Turnstile:
    """Holds a request back until there is a place; the place is free again when its answer begins."""

    def __init__(self, app: App, num_places: int = NUM_PLACES, max_wait_s: float = MAX_WAIT_S) -> None:
        self._app = app
        self._places = asyncio.Semaphore(num_places)
        self._max_wait_s = max_wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = _Place(self._places, send)
        await place.wait(self._max_wait_s)
        try:
            await self._app(scope, receive, place.send)
        finally:
            place.leave()


class _Place:
    """One request's place, or its leave to go without."""

    def __init__(self, places: asyncio.Semaphore, send: Send) -> None:
        self._places = places
        self._send = send
        self._is_taken = False

    async def wait(self, timeout_s: float) -> None:
        try:
            await asyncio.wait_for(self._places.acquire(), timeout_s)
        except TimeoutError:
            return
        self._is_taken = True

    async def send(self, message: Message) -> None:
        self.leave()
        await self._send(message)

    def leave(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._places.release()
