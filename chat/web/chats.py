"""The page of all chats: search, the archive, tags, and deleting many at once. It needs no script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from chat.domain.errors import InvalidInput
from chat.runs.shelf import delete_many, restore_many, tags_of
from chat.runtime import get_runtime
from chat.web.conversations import see
from chat.web.finding import find
from chat.web.list_pages import Cursor, listed, page_of
from chat.web.news import tell_list_changed
from chat.web.partials import partial
from chat.web.requests import PageRequest, parsed_uuid

NUM_ROWS = 50


@require_safe
def chats(request: PageRequest) -> HttpResponse:
    """All chats, those with `?tag=`, the archived ones, or what `?q=` finds."""
    if query := request.GET.get("q", ""):
        return render(request, "chats/chats.html", {"found": find(request.actor, query), "query": query})
    return render(request, "chats/chats.html", _listing(request))


@require_safe
def search(request: PageRequest) -> HttpResponse:
    """What the words in the sidebar's search box find, as a fragment; nothing for no words."""
    query = request.GET.get("q", "").strip()
    found = find(request.actor, query)
    html = render_to_string("chat/_found.html", {"found": found}) if query else ""
    count = f"{len(found.titles) + len(found.messages)} found" if query else ""
    return HttpResponse(partial("#found", "innerHTML", html) + partial("#found-count", "innerHTML", count))


@require_POST
def delete_chosen(request: PageRequest) -> HttpResponse:
    """Delete the ticked ones; the page after it offers to undo that."""
    ids = [pk for text in request.POST.getlist("chat")[:NUM_ROWS] if (pk := parsed_uuid(text))]
    if not ids:
        raise InvalidInput("No chat was chosen.", hint="Tick the ones to delete first.")
    moment = delete_many(get_runtime().runs, request.actor, ids)
    for pk in ids:
        tell_list_changed(request.actor, pk)
    return see(f"{reverse('chats')}?{urlencode({'deleted': moment.isoformat()})}")


@require_POST
def restore_deleted(request: PageRequest) -> HttpResponse:
    """Undo such a deletion."""
    for pk in restore_many(request.actor, _moment(request.POST.get("deleted", ""))):
        tell_list_changed(request.actor, pk)
    return see(reverse("chats"))


def _listing(request: PageRequest) -> Mapping[str, Any]:
    tag, is_archive = request.GET.get("tag", ""), "archived" in request.GET
    rows = listed(request.actor).filter(archived_at__isnull=not is_archive).prefetch_related("tags")
    if tag:
        rows = rows.filter(tags__name=tag)
    page = page_of(rows, Cursor.parse(request.GET.get("after", "")), NUM_ROWS)
    wishes = {"tag": tag} if tag else {"archived": ""} if is_archive else {}
    return {
        "rows": page.rows,
        "older": urlencode({**wishes, "after": page.older}) if page.older else "",
        "tag": tag,
        "is_archive": is_archive,
        "all_tags": tags_of(request.actor),
        "deleted": request.GET.get("deleted", ""),
        "is_later_page": "after" in request.GET,
    }


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput("There is nothing to undo.") from None
