"""From the tasks of a request to its answer: whole, or as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from chat.api.openai.errors import broken
from chat.api.openai.runs import follow_all, settle
from chat.domain.errors import ChatError
from chat.domain.events import Numbered
from chat.domain.params import MAX_SEED
from chat.http.api import json_response
from chat.http.detached import Idempotency, OpenRuns, close_with
from chat.http.streaming import streamed
from chat.http.turnstile import leave_place
from chat.runs.task import Task
from chat.runtime import get_runtime

logger = logging.getLogger(__name__)

_ANSWERS = uuid.UUID("2d9d2f0c-7a0e-4d7e-8f53-1c1e6f0f5b02")


class AnswerEncoder(Protocol):
    """Turns the events of all runs of a request into OpenAI's JSON, as a stream or as a whole."""

    def feed(self, number: int, batch: list[Numbered]) -> str:
        """What to send for this batch of run `number`; "" for nothing."""

    def gather(self, number: int, batch: list[Numbered]) -> None:
        """Take in a batch for the whole answer."""

    def end(self) -> str:
        """What to send when all runs have ended."""

    def failure(self, error: ChatError) -> str:
        """The last words of a stream that broke."""

    def whole(self) -> Mapping[str, Any]:
        """The answer that all gathered events make."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request that was found good: its runs and how their events are told."""

    tasks: tuple[Task, ...]
    idempotency: Idempotency
    encoder: AnswerEncoder
    is_stream: bool


async def answer(request: HttpRequest, parse: Callable[[HttpRequest], Question]) -> HttpResponseBase:
    """Ask and answer. `parse` may touch the database. Raises: ChatError for all that happens before the answer."""
    question = await sync_to_async(_parse_and_let_go)(request, parse)
    leave_place(request)
    # Opened here and not on the thread: a client that leaves just then would leave the runs behind.
    runs = OpenRuns(question.tasks, question.idempotency)
    try:
        if question.is_stream:
            await settle(get_runtime().log, runs.ids)
            return _stream(runs, question.encoder)
        return await _whole(runs, question.encoder)
    except BaseException:
        runs.close()
        raise


def answer_id(prefix: str, idempotency: Idempotency) -> str:
    """A new id; the same again for the same idempotency key."""
    unique = uuid.uuid5(_ANSWERS, idempotency.key) if idempotency.key else uuid.uuid4()
    return f"{prefix}{unique.hex}"


def for_choices(task: Task, count: int) -> tuple[Task, ...]:
    """The task so often. With a seed each has one of its own, or all would read the same."""
    params = task.request.params
    if params.seed is None:
        return (task,) * count
    seeds = [(params.seed + number) % MAX_SEED for number in range(count)]
    return tuple(
        replace(task, request=replace(task.request, params=replace(params, seed=seed))) for seed in seeds
    )


def sse(data: Mapping[str, Any], event: str = "") -> str:
    """One server-sent event of ASCII JSON: no character of it can end a line."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return f"event: {event}\ndata: {text}\n\n" if event else f"data: {text}\n\n"


def _parse_and_let_go(request: HttpRequest, parse: Callable[[HttpRequest], Question]) -> Question:
    """An answer may take minutes: it holds no database connection."""
    try:
        return parse(request)
    finally:
        connections.close_all()


async def _whole(runs: OpenRuns, encoder: AnswerEncoder) -> HttpResponseBase:
    async for number, batch in follow_all(get_runtime().log, runs.ids):
        encoder.gather(number, batch)
    runs.close()
    return json_response(encoder.whole())


def _stream(runs: OpenRuns, encoder: AnswerEncoder) -> StreamingHttpResponse:
    response = streamed(_frames(runs, encoder), "text/event-stream")
    close_with(response, runs.close)
    return response


async def _frames(runs: OpenRuns, encoder: AnswerEncoder) -> AsyncIterator[str]:
    """Never lets an exception out: under Daphne that would hang the client and stop the reaper of dead connections."""
    try:
        async for number, batch in follow_all(get_runtime().log, runs.ids):
            if not batch:
                yield ": ping\n\n"
            elif text := encoder.feed(number, batch):
                yield text
        yield encoder.end()
    except asyncio.CancelledError:
        raise
    except ChatError as exc:
        yield encoder.failure(exc)
    except Exception:  # the border of the stream
        logger.exception("the stream of an answer broke")
        yield encoder.failure(broken())
    finally:
        runs.close()
