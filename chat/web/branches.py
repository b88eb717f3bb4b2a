"""Other versions of questions and answers, switching between them, and forks. htmx is given the chat as it is then."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.http.loaders import message_for
from chat.models import Conversation, Message
from chat.runs.branches import edit_answer, fork, show_version
from chat.runtime import get_runtime
from chat.web.fragments import fragments, log_partials, rendered, sidebar_partial, to_message
from chat.web.news import tell_list_changed, tell_run_started
from chat.web.requests import PageRequest, is_htmx, key_of
from chat.web.transcript import items_of


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PageRequest, message_id: int) -> HttpResponse:
    """The form with the text as it is, and its answer: a question is asked anew, an answer is kept as written."""
    message = message_for(request.actor, message_id)
    if request.method != "POST":
        template = "chat/_edit.html" if is_htmx(request) else "chat/edit.html"
        return render(request, template, {"message": message, "key": uuid.uuid4()})
    text = request.POST.get("text", "")
    if message.is_question:
        run = get_runtime().runs.edit_question(
            message, text, key=key_of(request), model=request.POST.get("model", "")
        )
        tell_run_started(request.actor, run)
        return _shown(request, run.conversation, at=run.reply.parent_id)
    edited = edit_answer(message, text)
    tell_list_changed(request.actor, message.conversation_id)
    return _shown(request, message.conversation, at=edited.pk)


@require_POST
def show(request: PageRequest, message_id: int) -> HttpResponse:
    """Another version of a message, with what followed it."""
    message = message_for(request.actor, message_id)
    show_version(message)
    tell_list_changed(request.actor, message.conversation_id)
    return _shown(request, message.conversation, at=message_id)


@require_POST
def fork_message(request: PageRequest, message_id: int) -> HttpResponse:
    """A new chat with all up to this message."""
    copy = fork(message_for(request.actor, message_id), request.actor)
    tell_list_changed(request.actor, copy.pk)
    if is_htmx(request):
        return HttpResponse(headers={"HX-Redirect": reverse("conversation", args=[copy.pk])})
    return to_message(copy, copy.leaf_id)


@require_safe
def message(request: PageRequest, message_id: int) -> HttpResponse:
    """One message as the chat shows it: what takes the place of a form that was left."""
    found: Message = message_for(request.actor, message_id)
    return fragments(rendered(items_of([found])))


def _shown(request: PageRequest, conversation: Conversation, at: int | None) -> HttpResponse:
    if not is_htmx(request):
        return to_message(conversation, at)
    return fragments(*log_partials(conversation), sidebar_partial(request.actor, conversation))
