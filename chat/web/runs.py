"""A run's stream for the page, its Stop, and the word of the person whom a tool call waits for."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from chat.http.loaders import run_for
from chat.http.streaming import cursor_of, stream_run
from chat.models import Run
from chat.runtime import get_runtime
from chat.web.encode import CLOSE, PageEncoder
from chat.web.requests import PageRequest, is_htmx

EVENT_STREAM = "text/event-stream"


@require_GET
async def events(request: PageRequest, run_id: int) -> HttpResponseBase:
    """What the run changes on a page that shows its first `?after=` events. Reading starts nothing."""
    run = await sync_to_async(run_for)(request.actor, run_id)
    after = cursor_of(request)
    if await sync_to_async(_is_all_seen)(run, after):
        # Not 204: the page's extension takes that for a broken stream and comes again.
        return HttpResponse(CLOSE, content_type=EVENT_STREAM)
    encoder = PageEncoder(run)
    return await stream_run(get_runtime().log, run_id, encoder, after=after, content_type=EVENT_STREAM)


@require_POST
def stop(request: PageRequest, run_id: int) -> HttpResponse:
    """End the run with the text it has; also when it has ended already."""
    run = run_for(request.actor, run_id)
    get_runtime().runs.cancel(run)
    return _done(request, run)


@require_POST
def approve(request: PageRequest, run_id: int, call_id: str) -> HttpResponse:
    """Let a tool be called that asks first."""
    run = run_for(request.actor, run_id)
    get_runtime().runs.answer_approval(run, call_id, is_allowed=True)
    return _done(request, run)


@require_POST
def deny(request: PageRequest, run_id: int, call_id: str) -> HttpResponse:
    """Keep a tool from being called."""
    run = run_for(request.actor, run_id)
    get_runtime().runs.answer_approval(run, call_id, is_allowed=False)
    return _done(request, run)


def _done(request: PageRequest, run: Run) -> HttpResponse:
    """The stream shows what came of it; without scripts the page does."""
    if is_htmx(request):
        return HttpResponse(status=204)
    response = redirect(reverse("conversation", args=[run.conversation_id]))
    response.status_code = 303
    return response


def _is_all_seen(run: Run, after: int) -> bool:
    return not run.is_live and not run.events.filter(seq__gt=after).exists()
