"""Posting, retrying, continuing: htmx is given the parts of the page that change, others a redirect."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_POST

from chat.http.loaders import conversation_for, deleted_conversation_for, message_for
from chat.models import Collection
from chat.runtime import get_runtime
from chat.web.attachments import draft_for
from chat.web.chat_page import page_context
from chat.web.flow_choice import flow_for
from chat.web.fragments import (
    attachments_partial,
    fragments,
    live_partials,
    log_partials,
    rendered,
    sidebar_partial,
    title_partials,
    to_question,
)
from chat.web.news import tell_run_started
from chat.web.partials import partial
from chat.web.pictures import check_waiting_are_seen
from chat.web.requests import PageRequest, is_htmx, key_of
from chat.web.transcript import Transcript, items_of, turn_of


@require_POST
def create_conversation(request: PageRequest) -> HttpResponse:
    """The first message of a new chat. htmx is given the whole chat, so that the page turns without a reload."""
    draft = draft_for(request.actor, request.POST.get("documents", ""))
    check_waiting_are_seen(request, draft)
    run = get_runtime().runs.start_conversation(
        request.actor,
        request.POST.get("text", ""),
        key=key_of(request),
        model=_model_in(request),
        flow=flow_for(request.actor, request.POST.get("flow", "")),
        documents=draft,
    )
    tell_run_started(request.actor, run)
    if not is_htmx(request):
        return to_question(run)
    context = page_context(request, run.conversation)
    return fragments(
        partial("#main", "innerHTML", render_to_string("chat/_chat.html", context, request)),
        partial("title", "textContent", escape(f"{run.conversation} · Parley")),
        sidebar_partial(request.actor, run.conversation),
        headers={"HX-Push-Url": reverse("conversation", args=[run.conversation_id])},
    )


@require_POST
def post_message(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The next message of a conversation."""
    conversation = conversation_for(request.actor, conversation_id)
    has_pictures = check_waiting_are_seen(
        request, Collection.objects.filter(conversation=conversation).first()
    )
    run = get_runtime().runs.post_message(
        conversation, request.POST.get("text", ""), key=key_of(request), model=_model_in(request)
    )
    tell_run_started(request.actor, run)
    if not is_htmx(request):
        return to_question(run)
    turn = turn_of(run)
    return fragments(
        partial("#log", "beforeend", rendered(turn.items)),
        partial("#composer-key", "outerHTML", render_to_string("chat/_key.html", {"key": uuid.uuid4()})),
        *(attachments_partial(conversation) if has_pictures else ()),
        *live_partials(turn),
        sidebar_partial(request.actor, run.conversation),
    )


@require_POST
def regenerate(request: PageRequest, message_id: int) -> HttpResponse:
    """Another answer to the same question; this one stays as another version."""
    reply = message_for(request.actor, message_id)
    run = get_runtime().runs.regenerate(reply, model=_model_in(request))
    tell_run_started(request.actor, run)
    if not is_htmx(request):
        return to_question(run)
    return fragments(*log_partials(run.conversation), sidebar_partial(request.actor, run.conversation))


@require_POST
def continue_message(request: PageRequest, message_id: int) -> HttpResponse:
    """Go on where the answer stopped."""
    reply = message_for(request.actor, message_id)
    run = get_runtime().runs.continue_message(reply, model=_model_in(request))
    tell_run_started(request.actor, run)
    if not is_htmx(request):
        return to_question(run)
    transcript = Transcript(tuple(items_of([run.reply])))
    return fragments(
        partial(f"#message-{message_id}", "outerHTML", rendered(transcript.items)),
        *live_partials(transcript),
        sidebar_partial(request.actor, run.conversation),
    )


@require_GET
def changes(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """What a page that ends with message `?after=` lacks: another tab has posted, renamed, switched or deleted."""
    conversation = deleted_conversation_for(request.actor, conversation_id)
    if conversation.deleted_at:
        notice = render_to_string("chat/_gone.html", {"conversation": conversation}, request)
        return fragments(partial("#problem", "innerHTML", notice))
    ids, last = conversation.path_ids(), request.GET.get("after", "")
    at = next((n for n, pk in enumerate(ids) if str(pk) == last), None)
    if at is None:
        return fragments(*title_partials(conversation), *log_partials(conversation))
    shown, *new = items_of(conversation.messages_by_ids(ids[at:]))
    parts = [partial(f"#message-{last}", "outerHTML", rendered([shown]))] if shown.is_live else []
    if new:
        parts.append(partial("#log", "beforeend", rendered(new)))
    if not parts:  # this page has just posted, perhaps, and knows better what lives
        return fragments(*title_partials(conversation))
    return fragments(*parts, *title_partials(conversation), *live_partials(Transcript((shown, *new))))


def _model_in(request: PageRequest) -> str:
    """The model chosen beside the message box; "" where there is no choice."""
    return request.POST.get("model", "")
