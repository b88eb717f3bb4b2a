"""Answering a program by runs that store nothing: whole, or as a stream. A client that leaves ends them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest, StreamingHttpResponse

from chat.domain.errors import ChatError, InvalidInput, error_from_code
from chat.domain.events import RunFailed, RunState
from chat.domain.reply import ReplyBuilder
from chat.http.api import followed
from chat.http.auth import Caller
from chat.http.first_word import wait_for_first_word
from chat.http.streaming import Encoder, stream_run
from chat.runs.task import Task
from chat.runtime import get_runtime

# A stream begins after this long even when the model has said nothing yet. Loading a large one takes longer.
MAX_SILENCE_S = 10.0
MAX_KEY_CHARS = 255
# In these the client should see a stream; in the others an error may still come before the first word.
_SILENT_STATES: tuple[RunState, ...] = ("queued", "waiting", "loading", "restarting")


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The request's Idempotency-Key within its caller, and what it was used for. "" for none: each request anew."""

    key: str = ""
    fingerprint: str = ""

    @classmethod
    def of(cls, request: HttpRequest, caller: Caller) -> Self:
        """Raises: InvalidInput for a key that is too long."""
        given = request.headers.get("Idempotency-Key", "")
        if len(given) > MAX_KEY_CHARS:
            raise InvalidInput(f"Idempotency-Key must have at most {MAX_KEY_CHARS} characters.")
        if not given:
            return cls()
        return cls(f"{caller.name}:{request.path}:{given}", hashlib.sha256(request.body).hexdigest())


class OpenRuns:
    """Runs of one request that were started, or joined, and must be closed: who leaves early ends them."""

    def __init__(self, tasks: Sequence[Task], idempotency: Idempotency) -> None:
        """Raises: Overloaded, Conflict; none of the runs is left behind then."""
        self._detached = get_runtime().detached
        self._open: list[int] = []
        self._lock = threading.Lock()
        try:
            for number, task in enumerate(tasks):
                key = f"{idempotency.key}:{number}" if idempotency.key else ""
                run_id = self._detached.enter(task, key=key, fingerprint=idempotency.fingerprint)
                self._open.append(run_id)
        except ChatError:
            self.close()
            raise
        self.ids = tuple(self._open)

    def close(self) -> None:
        """Leave them; does nothing the second time. Any thread may call."""
        with self._lock:
            ids, self._open = self._open, []
        for run_id in ids:
            self._detached.leave(run_id)


async def whole_reply(task: Task, idempotency: Idempotency) -> ReplyBuilder:
    """Run the task and wait for its end. Raises: Overloaded, Conflict, and what the run failed with."""
    with contextlib.closing(OpenRuns([task], idempotency)) as runs:
        reply = await followed(get_runtime().log, runs.ids[0])
    if isinstance(end := reply.terminal, RunFailed):
        raise error_from_code(end.code, end.message, end.hint)
    return reply


async def streamed_reply(
    task: Task, idempotency: Idempotency, encoder: Encoder, content_type: str
) -> StreamingHttpResponse:
    """Run the task and send its events as they come.

    Raises: Overloaded, Conflict, and what the run failed with before its first word.
    """
    log = get_runtime().log
    runs = OpenRuns([task], idempotency)
    try:
        await wait_for_first_word(log, runs.ids[0], MAX_SILENCE_S, enough=_SILENT_STATES)
        response = await stream_run(
            log,
            runs.ids[0],
            encoder,
            after=0,
            content_type=content_type,
            on_close=runs.close,
            is_event_by_event=True,
        )
    except BaseException:
        runs.close()
        raise
    close_with(response, runs.close)
    return response


def close_with(response: StreamingHttpResponse, close: Callable[[], None]) -> None:
    """Call `close` also for a client that leaves before the stream begins: nothing ever asks for its content then."""
    response._resource_closers.append(close)  # type: ignore[attr-defined]
    # For one that never gets to the server. Not at once: the garbage collector may be at work inside of `close` itself.
    weakref.finalize(response, _soon, asyncio.get_running_loop(), close).atexit = False


def _soon(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the server has ended
        loop.call_soon_threadsafe(function)
