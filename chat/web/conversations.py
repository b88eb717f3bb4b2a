"""Renaming, deleting and bringing back a conversation. Each form is a fragment for htmx and a page for others."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.views.decorators.http import require_http_methods, require_POST

from chat.http.loaders import conversation_for, deleted_conversation_for
from chat.models import Conversation
from chat.runtime import get_runtime
from chat.web.news import tell_list_changed
from chat.web.partials import partial
from chat.web.requests import PageRequest, current_conversation_id, is_htmx
from chat.web.sidebar import sidebar_for


@require_http_methods(["GET", "POST"])
def rename(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The form for a new title, and its answer."""
    conversation = conversation_for(request.actor, conversation_id)
    if request.method == "GET":
        return _form(request, "rename", conversation)
    get_runtime().runs.rename(conversation, request.POST.get("title", ""))
    tell_list_changed(request.actor, conversation_id)
    if not is_htmx(request):
        return see(reverse("conversation", args=[conversation_id]))
    title = escape(conversation.title)
    is_current = current_conversation_id(request) == conversation_id
    return HttpResponse(
        list_partial(request)
        + (partial("title", "textContent", f"{title} · Parley") if is_current else "")
        + (partial(".page-title", "textContent", title) if is_current else "")
    )


@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The question whether to delete, and its answer, which offers to undo it."""
    conversation = conversation_for(request.actor, conversation_id)
    if request.method == "GET":
        return _form(request, "delete", conversation)
    get_runtime().runs.delete(conversation)
    tell_list_changed(request.actor, conversation_id)
    new_chat = f"{reverse('home')}?deleted={conversation_id}"
    if not is_htmx(request):
        return see(new_chat)
    if current_conversation_id(request) == conversation_id:
        return HttpResponse(headers={"HX-Redirect": new_chat})
    toast = render_to_string("chat/_deleted.html", {"deleted": conversation}, request)
    return HttpResponse(
        list_partial(request) + partial("#toast", "innerHTML", toast) + partial("#dialog", "innerHTML", "")
    )


@require_POST
def restore(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Undo a deletion and show the conversation."""
    get_runtime().runs.restore(deleted_conversation_for(request.actor, conversation_id))
    tell_list_changed(request.actor, conversation_id)
    return see(reverse("conversation", args=[conversation_id]))


def _form(request: PageRequest, verb: str, conversation: Conversation) -> HttpResponse:
    template = f"chat/_{verb}.html" if is_htmx(request) else f"chat/{verb}.html"
    return render(request, template, {"conversation": conversation})


def list_partial(request: PageRequest) -> str:
    """The list of conversations anew, for htmx."""
    html = render_to_string("chat/_conversations.html", {"sidebar": sidebar_for(request)})
    return partial("#conversations", "innerHTML", html)


def see(url: str) -> HttpResponse:
    """After a form: go there by GET, so that a reload posts nothing."""
    response = redirect(url)
    response.status_code = 303
    return response
