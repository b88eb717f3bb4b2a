"""The two pages of the chat, and the reader's wishes for them."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from chat.domain.errors import InvalidInput
from chat.http.loaders import conversation_for
from chat.models import Conversation
from chat.web.chat_page import page_context
from chat.web.list_pages import Cursor
from chat.web.news import tell_list_changed
from chat.web.requests import PageRequest, current_conversation_id, is_htmx, parsed_uuid
from chat.web.sidebar import sidebar_after, sidebar_for
from chat.web.transcript import Transcript, transcript_at, transcript_of

YEAR_S = 365 * 24 * 3600
THEMES = ("system", "light", "dark")


@require_GET
def new_chat(request: PageRequest) -> HttpResponse:
    """The empty page; for htmx only what changes with the chosen assistant. After a deletion it offers to undo that."""
    context = page_context(request, None)
    if is_htmx(request):
        return render(request, "chat/_empty.html", context)
    if deleted_id := parsed_uuid(request.GET.get("deleted", "")):
        mine = Conversation.objects.visible_to(request.actor)
        context["deleted"] = mine.filter(pk=deleted_id, deleted_at__isnull=False).first()
    return render(request, "chat/conversation.html", context)


@require_GET
def conversation(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """A conversation's last messages, those before `?before=`, or those around `?at=`."""
    shown = conversation_for(request.actor, conversation_id)
    place, before = _message_id(request, "at"), _message_id(request, "before")
    transcript = transcript_at(shown, place) if place is not None else transcript_of(shown, before)
    context = page_context(request, shown, transcript)
    if is_htmx(request):
        return render(request, "chat/_earlier.html", context)
    context["refresh_url"] = _refresh_url(request, context["transcript"])
    if shown.is_unread and context["run_id"] is None:
        _mark_read(request, shown)
    return render(request, "chat/conversation.html", context)


@require_GET
def sidebar(request: PageRequest) -> HttpResponse:
    """The list of conversations, or what follows `?after=`, as a fragment."""
    after = Cursor.parse(request.GET.get("after", ""))
    if after is None:
        return render(request, "chat/_conversations.html", {"sidebar": sidebar_for(request)})
    more = sidebar_after(request.actor, current_conversation_id(request), after)
    return render(request, "chat/_conversations.html", {"sidebar": more})


@require_POST
def seen(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """A page that showed the answer while it was written says that it was seen."""
    _mark_read(request, conversation_for(request.actor, conversation_id))
    return HttpResponse(status=204)


@require_POST
def theme(request: PageRequest) -> HttpResponse:
    """Remember light, dark or the system's own."""
    chosen = request.POST.get("theme", "")
    if chosen not in THEMES:
        raise InvalidInput("There is no such theme.", hint="Choose light, dark or system.")
    back = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = redirect(back if is_ours else "home")
    response.set_cookie("theme", chosen, max_age=YEAR_S, samesite="Lax", secure=request.is_secure())
    return response


def _message_id(request: PageRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _refresh_url(request: PageRequest, transcript: Transcript) -> str:
    """Where a page without scripts goes while an answer is written: here again, at the answer.

    The count makes each address new: going to the same one with a fragment would only scroll.
    """
    if transcript.live is None:
        return ""
    count = request.GET.get("refresh", "")
    number = int(count) + 1 if count.isdecimal() and len(count) < 9 else 1
    return f"{request.path}?refresh={number}#message-{transcript.live.message.pk}"


def _mark_read(request: PageRequest, conversation: Conversation) -> None:
    if Conversation.objects.filter(pk=conversation.pk, is_unread=True).update(is_unread=False):
        tell_list_changed(request.actor, conversation.pk)
