"""Answering a program by a run that stores nothing: whole, or as a stream. A client that leaves ends the run."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.http import HttpRequest, StreamingHttpResponse

from chat.domain.errors import InvalidInput, error_from_code
from chat.domain.events import Event, HistoryTrimmed, RunFailed, RunStarted, StatusChanged
from chat.domain.reply import ReplyBuilder
from chat.http.api import followed
from chat.http.auth import Caller
from chat.http.streaming import Encoder, stream_run
from chat.runs.log import EventLog
from chat.runs.task import Task
from chat.runtime import get_runtime

# A stream begins after this long even when the model has said nothing yet: clients wait for headers, not for ever.
MAX_SILENCE_S = 10.0
MAX_KEY_CHARS = 255
# While it waits the client should see a stream; in the other states an error may still come before the first word.
WAITING = ("queued", "loading", "restarting")


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The request's Idempotency-Key within its caller, and what it was used for. "" for none: each request anew."""

    key: str = ""
    fingerprint: str = ""

    @classmethod
    def of(cls, request: HttpRequest, caller: Caller) -> Idempotency:
        """Raises: InvalidInput for a key that is too long."""
        given = request.headers.get("Idempotency-Key", "")
        if len(given) > MAX_KEY_CHARS:
            raise InvalidInput(f"Idempotency-Key must have at most {MAX_KEY_CHARS} characters.")
        if not given:
            return cls()
        return cls(f"{caller.name}:{request.path}:{given}", hashlib.sha256(request.body).hexdigest())


async def whole_reply(task: Task, idempotency: Idempotency) -> ReplyBuilder:
    """Run the task and wait for its end. Raises: Overloaded, Conflict, and what the run failed with."""
    runtime = get_runtime()
    with runtime.detached.open(task, key=idempotency.key, fingerprint=idempotency.fingerprint) as run_id:
        reply = await followed(runtime.log, run_id)
    if isinstance(reply.terminal, RunFailed):
        raise _error_of(reply.terminal)
    return reply


async def streamed_reply(
    task: Task, idempotency: Idempotency, encoder: Encoder, content_type: str
) -> StreamingHttpResponse:
    """Run the task and send its events as they come.

    Raises: Overloaded, Conflict, and what the run failed with before its first word.
    """
    runtime = get_runtime()
    run_id = runtime.detached.enter(task, key=idempotency.key, fingerprint=idempotency.fingerprint)
    leave = _Once(partial(runtime.detached.leave, run_id))
    try:
        if failure := await _early_failure(runtime.log, run_id):
            raise _error_of(failure)
        response = await stream_run(
            runtime.log,
            run_id,
            encoder,
            after=0,
            content_type=content_type,
            on_close=leave,
            is_event_by_event=True,
        )
    except BaseException:
        leave()
        raise
    # A client that leaves before the stream begins: nothing ever asks the response for its content. Not at once: the
    # garbage collector may be at work inside of `leave` itself.
    loop = asyncio.get_running_loop()
    weakref.finalize(response, _soon, loop, leave).atexit = False
    return response


async def _early_failure(log: EventLog, run_id: int) -> RunFailed | None:
    """Wait for the first word, or for the failure that comes before it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MAX_SILENCE_S), contextlib.aclosing(log.follow(run_id)) as batches:
            async for batch in batches:
                for numbered in batch:
                    if isinstance(numbered.event, RunFailed):
                        return numbered.event
                    if _is_worth_a_stream(numbered.event):
                        return None
    return None


def _is_worth_a_stream(event: Event) -> bool:
    if isinstance(event, StatusChanged):
        return event.state in WAITING
    return not isinstance(event, (RunStarted, HistoryTrimmed))


def _error_of(failure: RunFailed) -> Exception:
    return error_from_code(failure.code, failure.message, failure.hint)


class _Once:
    """Calls a function the first time it is called itself. Thread-safe."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._turn = threading.Lock()

    def __call__(self) -> None:
        if self._turn.acquire(blocking=False):  # and never gives it back
            self._function()


def _soon(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the server has ended
        loop.call_soon_threadsafe(function)
