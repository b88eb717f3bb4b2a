"""Lets a few requests through at a time, each with a thread that is there already.

Left to itself Django's ASGI handler starts a thread for each request. All threads share one interpreter, and the event
loop, on which all streams and `/health/live` depend, stands still while a new one starts. Fifty new conversations at
the same moment on two cores: `/health/live` took up to 82 ms, with few places 45 ms, with their own threads 8 ms; all
were answered after 5.4 s, now 4.1 s. With other work on the same cores it had been up to 6 s for a single probe.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import ThreadSensitiveContext
from django.http import HttpRequest

from chat.http.limits import App, Message, Receive, Scope, Send

NUM_PLACES = 4
# A view may wait for something else than the processor; it must not keep the others out for ever.
MAX_WAIT_S = 5.0
_LEAVE = "parley.leave_place"


def leave_place(request: HttpRequest) -> None:
    """For a view that from now on waits, before its answer begins: others may have its place.

    Four programs that each waited for a whole answer kept all others out for `MAX_WAIT_S`, every time.
    """
    if leave := getattr(request, "scope", {}).get(_LEAVE):
        leave()


class Turnstile:
    """Holds a request back until there is a place; the place is free again when its answer begins.

    What a stream does in threads after that it does on the thread of the place it had, between other requests.
    """

    def __init__(self, app: App, num_places: int = NUM_PLACES, max_wait_s: float = MAX_WAIT_S) -> None:
        self._app = app
        self._max_wait_s = max_wait_s
        self._free: asyncio.LifoQueue[ThreadPoolExecutor] = asyncio.LifoQueue()
        for number in range(num_places):
            self._free.put_nowait(ThreadPoolExecutor(1, thread_name_prefix=f"place-{number}"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or (thread := await self._wait_for_thread()) is None:
            await self._app(scope, receive, send)
            return
        place = _Place(thread, self._free, send)
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self._app({**scope, _LEAVE: place.leave}, receive, place.send)
        finally:
            place.leave()

    async def _wait_for_thread(self) -> ThreadPoolExecutor | None:
        """None when it took too long: then the request goes without, as before the turnstile was built."""
        try:
            return await asyncio.wait_for(self._free.get(), self._max_wait_s)
        except TimeoutError:
            return None


class _Place:
    """The place of one request, given back once."""

    def __init__(
        self, thread: ThreadPoolExecutor, free: asyncio.LifoQueue[ThreadPoolExecutor], send: Send
    ) -> None:
        self._thread: ThreadPoolExecutor | None = thread
        self._free = free
        self._send = send

    async def send(self, message: Message) -> None:
        self.leave()
        await self._send(message)

    def leave(self) -> None:
        if self._thread is not None:
            self._free.put_nowait(self._thread)
            self._thread = None
