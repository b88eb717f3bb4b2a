"""Posting, retrying, continuing: htmx is given the parts of the page that change, others a redirect."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_POST

from chat.http.loaders import conversation_for, message_for
from chat.models import Run
from chat.runtime import get_runtime
from chat.web.chat_page import live_context, page_context
from chat.web.flow_choice import flow_for
from chat.web.news import tell_run_started
from chat.web.partials import partial
from chat.web.requests import PageRequest, is_htmx, key_of
from chat.web.sidebar import sidebar_of
from chat.web.transcript import Item, Transcript, items_of, transcript_of, turn_of


@require_POST
def create_conversation(request: PageRequest) -> HttpResponse:
    """The first message of a new chat. htmx is given the whole chat, so that the page turns without a reload."""
    run = get_runtime().runs.start_conversation(
        request.actor,
        request.POST.get("text", ""),
        key=key_of(request),
        model=_model_in(request),
        flow=flow_for(request.actor, request.POST.get("flow", "")),
    )
    tell_run_started(request.actor, run)
    if not is_htmx(request):
        return _to_message(run)
    context = page_context(request, run.conversation)
    return _fragments(
        partial("#main", "innerHTML", render_to_string("chat/_chat.html", context, request)),
        partial("title", "textContent", escape(f"{run.conversation} · Parley")),
        _sidebar_partial(request, run),
        headers={"HX-Push-Url": reverse("conversation", args=[run.conversation_id])},
    )


@require_POST
def post_message(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The next message of a conversation."""
    conversation = conversation_for(request.actor, conversation_id)
    run = get_runtime().runs.post_message(
        conversation, request.POST.get("text", ""), key=key_of(request), model=_model_in(request)
    )
    tell_run_started(request.actor, run)
    if not is_htmx(request):
        return _to_message(run)
    turn = turn_of(run)
    return _fragments(
        partial("#log", "beforeend", _render_items(turn.items)),
        partial("#composer-key", "outerHTML", render_to_string("chat/_key.html", {"key": uuid.uuid4()})),
        *_live_partials(turn),
        _sidebar_partial(request, run),
    )


@require_POST
def regenerate(request: PageRequest, message_id: int) -> HttpResponse:
    """Another answer to the same question, in place of this one."""
    reply = message_for(request.actor, message_id)
    return _restarted(request, message_id, get_runtime().runs.regenerate(reply, model=_model_in(request)))


@require_POST
def continue_message(request: PageRequest, message_id: int) -> HttpResponse:
    """Go on where the answer stopped."""
    reply = message_for(request.actor, message_id)
    return _restarted(
        request, message_id, get_runtime().runs.continue_message(reply, model=_model_in(request))
    )


@require_GET
def changes(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """What a page that ends with message `?after=` lacks: another tab has posted, retried or continued."""
    conversation = conversation_for(request.actor, conversation_id)
    ids, last = conversation.path_ids(), request.GET.get("after", "")
    at = next((n for n, pk in enumerate(ids) if str(pk) == last), None)
    if at is None:
        transcript = transcript_of(conversation)
        html = render_to_string(
            "chat/_earlier.html", {"conversation": conversation, "transcript": transcript}
        )
        return _fragments(partial("#log", "innerHTML", html), *_live_partials(transcript))
    shown, *new = items_of(conversation.messages_by_ids(ids[at:]))
    parts = [partial(f"#message-{last}", "outerHTML", _render_items([shown]))] if shown.is_live else []
    if new:
        parts.append(partial("#log", "beforeend", _render_items(new)))
    return _fragments(*parts, *_live_partials(Transcript((shown, *new))))


def _model_in(request: PageRequest) -> str:
    """The model chosen beside the message box; "" where there is no choice."""
    return request.POST.get("model", "")


def _restarted(request: PageRequest, old_id: int, run: Run) -> HttpResponse:
    tell_run_started(request.actor, run)
    if not is_htmx(request):
        return _to_message(run)
    transcript = Transcript(tuple(items_of([run.reply])))
    return _fragments(
        partial(f"#message-{old_id}", "outerHTML", _render_items(transcript.items)),
        *_live_partials(transcript),
        _sidebar_partial(request, run),
    )


def _render_items(items: Sequence[Item]) -> str:
    return render_to_string("chat/_turn.html", {"items": items})


def _live_partials(transcript: Transcript) -> list[str]:
    """The status line and the Stop button for a reply that is being written."""
    live: dict[str, Any] = live_context(transcript)
    action = "chat/_stop.html" if live["run_id"] else "chat/_send.html"
    return [
        partial("#status-text", "innerHTML", escape(live["status"])),
        partial("#announcement", "innerHTML", escape(live["announcement"])),
        partial("#composer-action", "innerHTML", render_to_string(action, live)),
        partial("#problem", "innerHTML", ""),
    ]


def _sidebar_partial(request: PageRequest, run: Run) -> str:
    sidebar = sidebar_of(request.actor, run.conversation_id)
    return partial(
        "#conversations", "innerHTML", render_to_string("chat/_conversations.html", {"sidebar": sidebar})
    )


def _fragments(*partials: str, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse("".join(partials), headers=headers)


def _to_message(run: Run) -> HttpResponse:
    """The conversation's page, at the question. The reader comes by GET, so that a reload posts nothing."""
    url = reverse("conversation", args=[run.conversation_id])
    response = redirect(f"{url}#message-{run.reply.parent_id}")
    response.status_code = 303
    return response
