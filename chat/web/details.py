"""The glass box: what an answer was made of, and the same played back as it happened. For owners and staff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from chat.domain.errors import ChatError
from chat.domain.events import Numbered, is_terminal
from chat.domain.messages import ToolResult
from chat.http.loaders import inspected_message_for, inspected_run_for
from chat.http.streaming import cursor_of, streamed
from chat.models import Conversation, Run
from chat.models.run import LIVE
from chat.runs.recipe import Recipe
from chat.runs.reviewing import READ, record
from chat.runs.rounds import events_of, rounds_of
from chat.runtime import get_runtime
from chat.web.charts import pace_of, timing_bar
from chat.web.event_rows import MAX_ROWS, event_rows
from chat.web.prompt_view import PromptView, prompt_view
from chat.web.replay import SPEEDS, replayed
from chat.web.requests import PageRequest
from chat.web.runs import EVENT_STREAM


@require_GET
def details(request: PageRequest, message_id: int) -> HttpResponse:
    """How an ended answer came about. With `?speed=` it is played back; `?load=1` may load its model for the prompt."""
    message = inspected_message_for(request.actor, message_id)
    runs = list(message.runs.exclude(status__in=LIVE).select_related("conversation", "reply").order_by("pk"))
    if not runs:
        raise Http404
    run = next((each for each in runs if str(each.pk) == request.GET.get("run")), runs[-1])
    is_own = Conversation.objects.visible_to(request.actor).filter(pk=run.conversation_id).exists()
    if not is_own and request.actor.user:
        record(request.actor.user, READ, run.conversation_id, page="details of an answer")
    events = events_of(run)
    speed = request.GET.get("speed", "")
    return render(
        request,
        "details/details.html",
        {
            "message": message,
            "is_own": is_own,
            "run": run,
            "runs": runs,
            "speeds": SPEEDS,
            "speed": speed if speed in map(str, SPEEDS) else "",
            **_can_be_made_again(run, events),
            **_made_with(run, events, may_load="load" in request.GET),
            **_timings(run, events),
        },
    )


@require_GET
async def replay(request: PageRequest, run_id: int) -> HttpResponseBase:
    """The answer's events at their times, `?speed=` times as fast; for the region on the page of details."""
    run = await sync_to_async(inspected_run_for)(request.actor, run_id)
    if run.is_live:
        raise Http404
    events = await sync_to_async(events_of)(run)
    await sync_to_async(connections.close_all)()  # a replay may take minutes
    frames = replayed(run, events, _speed_of(request), cursor_of(request))
    return streamed(frames, EVENT_STREAM)


def _can_be_made_again(run: Run, events: Sequence[Numbered]) -> dict[str, bool]:
    """A fork or an import has no log; where it called tools, nobody knows any more what was written in which round."""
    has_log = any(is_terminal(each.event) for each in events)
    has_one_round = not any(isinstance(part, ToolResult) for part in run.reply.content)
    return {"has_log": has_log, "can_repeat": bool(run.recipe) and (has_log or has_one_round)}


def _made_with(run: Run, events: Sequence[Numbered], *, may_load: bool) -> dict[str, Any]:
    recipe = Recipe.from_dict(run.recipe)
    if recipe is None:
        return {"recipe": None}
    recipes = get_runtime().recipes
    return {
        "recipe": recipes.with_digests(recipe, run.model),
        "has_same_files": recipes.has_same_files(recipe, run.model),
        **_prompt(run, recipe, events, may_load=may_load),
    }


def _prompt(run: Run, recipe: Recipe, events: Sequence[Numbered], *, may_load: bool) -> dict[str, Any]:
    """A model that is not in memory is loaded on demand only: it may be large, and another may have to go."""
    registry = get_runtime().registry
    if not may_load and not registry.is_ready(run.model):
        return {"must_load": True}
    try:
        prompt: PromptView = prompt_view(run, recipe, events, registry.get(run.model))
    except ChatError as exc:
        return {"prompt_problem": exc}
    return {"prompt": prompt}


def _timings(run: Run, events: Sequence[Numbered]) -> dict[str, Any]:
    usage = run.usage_report
    begun_ms = rounds_of(run, events)[0].at_ms
    return {
        "usage": usage,
        "timing": timing_bar(usage) if usage else (),
        "pace": pace_of(events, begun_ms, usage.completion_tokens) if usage else None,
        "rows": event_rows(events),
        "num_hidden_rows": max(0, len(events) - MAX_ROWS),
    }


def _speed_of(request: HttpRequest) -> int:
    given = request.GET.get("speed", "")
    return next((speed for speed in SPEEDS if str(speed) == given), 1)
