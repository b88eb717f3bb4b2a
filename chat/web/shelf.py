"""Pinning, archiving and tagging a conversation."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from chat.http.loaders import conversation_for
from chat.models import Conversation
from chat.runs import shelf
from chat.web.conversations import list_partial, see
from chat.web.news import tell_list_changed
from chat.web.requests import PageRequest, is_htmx


@require_POST
def pin(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Above all others."""
    return _moved(request, conversation_id, shelf.pin)


@require_POST
def unpin(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Among the others again."""
    return _moved(request, conversation_id, shelf.unpin)


@require_POST
def archive(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Out of the list."""
    return _moved(request, conversation_id, shelf.archive)


@require_POST
def unarchive(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Into the list again."""
    return _moved(request, conversation_id, shelf.unarchive)


@require_http_methods(["GET", "HEAD", "POST"])
def tags(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """A conversation's tags, with a form for one more; posting adds or, with `remove`, takes one away."""
    conversation = conversation_for(request.actor, conversation_id)
    if request.method != "POST":
        return _tags(request, conversation, "chat/_tags.html" if is_htmx(request) else "chat/tags.html")
    if removed := request.POST.get("remove"):
        shelf.remove_tag(conversation, removed)
    else:
        shelf.add_tag(conversation, request.POST.get("name", ""))
    if not is_htmx(request):
        return see(reverse("tags", args=[conversation_id]))
    return _tags(request, conversation, "chat/_tag_forms.html")


def _moved(
    request: PageRequest, conversation_id: uuid.UUID, move: Callable[[Conversation], None]
) -> HttpResponse:
    move(conversation_for(request.actor, conversation_id))
    tell_list_changed(request.actor, conversation_id)
    if not is_htmx(request):
        return see(reverse("conversation", args=[conversation_id]))
    return HttpResponse(list_partial(request))


def _tags(request: PageRequest, conversation: Conversation, template: str) -> HttpResponse:
    mine = list(conversation.tags.values_list("name", flat=True))
    others = [name for name in shelf.tags_of(request.actor) if name not in mine]
    return render(request, template, {"conversation": conversation, "tags": mine, "other_tags": others})
