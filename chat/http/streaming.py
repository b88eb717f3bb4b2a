"""One way to send a run to a client while it happens, whatever the format."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, StreamingHttpResponse

from chat.domain.events import Numbered
from chat.runs.log import EventLog

logger = logging.getLogger(__name__)

PING_INTERVAL_S = 15.0
MAX_EVENTS = 1_000_000  # in one write


class Encoder(Protocol):
    """Turns events into text of some format. Its state must be a pure function of the events it was given."""

    def skip(self, batch: list[Numbered]) -> None:
        """Take in what the reader has already."""

    def feed(self, batch: list[Numbered]) -> str:
        """What to send for this batch; "" for nothing."""

    def ping(self) -> str:
        """Something harmless that keeps proxies from closing a silent connection."""

    def failure(self) -> str:
        """The last words when the stream itself broke on our side."""


def cursor_of(request: HttpRequest) -> int:
    """How far the client has read: the greater of `?after=` and `Last-Event-ID`; 0 for none or nonsense."""
    given = (request.GET.get("after", ""), request.headers.get("Last-Event-ID", ""))
    return max(
        (int(text) for text in given if text.isascii() and text.isdigit() and len(text) < 10), default=0
    )


async def stream_run(
    log: EventLog,
    run_id: int,
    encoder: Encoder,
    *,
    after: int,
    content_type: str,
    on_close: Callable[[], None] = lambda: None,
    is_event_by_event: bool = False,
) -> StreamingHttpResponse:
    """Everything that happens in the run after event `after`, ending with its last event.

    With `is_event_by_event` no two events go into one write, however fast they come.

    Leaving the stream does not stop the run by itself: `on_close` is called at the end and when the client leaves, once
    the stream has begun. The encoder skips the events up to `after`, so that a reader who comes back
    is given exactly what is missing.
    """
    await sync_to_async(connections.close_all)()  # else every open stream would hold a database connection
    frames = _frames(log, run_id, encoder, after, on_close, 1 if is_event_by_event else MAX_EVENTS)
    return streamed(frames, content_type)


def streamed(frames: AsyncIterator[str], content_type: str) -> StreamingHttpResponse:
    """An answer that comes as it is made, and that nobody on the way keeps back. `frames` must not raise."""
    response = StreamingHttpResponse(frames, content_type=content_type)
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    response["Content-Encoding"] = "identity"
    return response


async def _frames(
    log: EventLog,
    run_id: int,
    encoder: Encoder,
    after: int,
    on_close: Callable[[], None],
    max_events: int,
) -> AsyncIterator[str]:
    """Never lets an exception out: under Daphne that would hang the client and stop the reaper of dead connections."""
    try:
        async for batch in log.follow(run_id, tick_s=PING_INTERVAL_S):
            if not batch:
                yield encoder.ping()
                continue
            encoder.skip([numbered for numbered in batch if numbered.seq <= after])
            new = [numbered for numbered in batch if numbered.seq > after]
            for start in range(0, len(new), max_events):
                if text := encoder.feed(new[start : start + max_events]):
                    yield text
    except asyncio.CancelledError:
        raise
    except Exception:  # the border of the stream: the reader is told, and comes back
        logger.exception("the stream of run %s broke", run_id)
        yield encoder.failure()
    finally:
        on_close()
