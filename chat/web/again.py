"""Writing an ended answer again: with scripts one watches it being written, without them the result is a page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import Http404, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.html import escape
from django.views.decorators.http import require_POST

from chat.domain.errors import ChatError, error_from_code
from chat.domain.events import RunFailed
from chat.domain.reply import ReplyBuilder
from chat.http.detached import Idempotency, OpenRuns, whole_reply
from chat.http.loaders import inspected_run_for
from chat.http.streaming import PING_INTERVAL_S, streamed
from chat.models import Run
from chat.runs.again import Attempt, attempts_of, compare
from chat.runs.recipe import Recipe
from chat.runtime import get_runtime
from chat.web.partials import partial, sse_message
from chat.web.requests import PageRequest, is_htmx
from chat.web.runs import EVENT_STREAM

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What came of the attempts, one text for each, and how many tokens they have together."""

    texts: tuple[str, ...] = ()
    num_tokens: int = 0

    def and_then(self, attempt: Attempt, reply: ReplyBuilder) -> Rewritten:
        """With one more."""
        num_tokens = reply.usage.completion_tokens if reply.usage else 0
        return Rewritten((*self.texts, attempt.words_of(reply.parts)), self.num_tokens + num_tokens)


@require_POST
async def again(request: PageRequest, run_id: int) -> HttpResponseBase:
    """Write the answer once more, with the same seed, and tell whether it is the same. Leaving ends it.

    Raises: ChatError when the model cannot be used, or too little is known of the answer.
    """
    run = await sync_to_async(inspected_run_for)(request.actor, run_id)
    if run.is_live:
        raise Http404
    attempts = await sync_to_async(attempts_of)(run)
    if is_htmx(request):
        await sync_to_async(
            connections.close_all
        )()  # else every open stream would hold a database connection
        return streamed(_frames(run, attempts), EVENT_STREAM)
    rewritten = Rewritten()
    for attempt in attempts:
        rewritten = rewritten.and_then(attempt, await whole_reply(attempt.task, Idempotency()))
    context = await sync_to_async(_comparison)(run, attempts, rewritten)
    return await sync_to_async(render)(request, "details/again.html", context)


async def _frames(run: Run, attempts: Sequence[Attempt]) -> AsyncIterator[str]:
    """The words as they are written, then the comparison. Never lets an exception out: see `chat.http.streaming`."""
    try:
        yield _said("Writing it again", render_to_string("details/_rewriting.html", {"run": run}))
        rewritten = Rewritten()
        for attempt in attempts:
            reply = ReplyBuilder()
            async for frame in _written(attempt, reply):
                yield frame
            rewritten = rewritten.and_then(attempt, reply)
        context = await sync_to_async(_comparison)(run, attempts, rewritten)
        yield _said("Finished", render_to_string("details/_comparison.html", context))
    except asyncio.CancelledError:
        raise
    except ChatError as exc:
        yield _failed(exc)
    except Exception:  # the border of the stream: the reader is told
        logger.exception("run %s could not be written again", run.pk)
        yield _failed(ChatError("It could not be written again.", hint="Try once more."))


async def _written(attempt: Attempt, reply: ReplyBuilder) -> AsyncIterator[str]:
    """One round, which goes into `reply`. Raises: Overloaded, and what the run failed with."""
    shown = ""
    log = get_runtime().log
    with contextlib.closing(OpenRuns([attempt.task], Idempotency())) as runs:
        async for batch in log.follow(runs.ids[0], tick_s=PING_INTERVAL_S):
            for numbered in batch:
                reply.apply(numbered)
            words = attempt.words_of(reply.parts)
            if words.startswith(shown) and words != shown:
                more = escape(words.removeprefix(shown))
                yield sse_message(partial("#again-words", "beforeend", more), 0)
                shown = words
            elif not batch:
                yield ": ping\n\n"
    if isinstance(end := reply.terminal, RunFailed):
        raise error_from_code(end.code, end.message, end.hint)


def _comparison(run: Run, attempts: Sequence[Attempt], rewritten: Rewritten) -> dict[str, object]:
    usage, recipe = run.usage_report, Recipe.from_dict(run.recipe)
    num_first = usage.completion_tokens if usage else 0
    return {
        "run": run,
        "comparison": compare(attempts, rewritten.texts, num_first, rewritten.num_tokens),
        "has_same_files": recipe is not None and get_runtime().recipes.has_same_files(recipe, run.model),
        "usage": usage,
    }


def _failed(error: ChatError) -> str:
    return _said("It failed", render_to_string("details/_again_failed.html", {"error": error}))


def _said(state: str, html: str) -> str:
    """What the region shows from now on, and what a screen reader is told of it."""
    return sse_message(partial("#again", "innerHTML", html) + partial("#again-status", "innerHTML", state), 0)
