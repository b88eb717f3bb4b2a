"""The pages on which staff look through conversations: the queue, one conversation, and the audit log."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST, require_safe

from chat.models import AuditEntry, Conversation, Review, User
from chat.runs.review_queue import newer_than, older_than
from chat.runs.reviewing import add_note, open_for_review, set_status
from chat.runtime import get_runtime
from chat.web.conversations import see
from chat.web.flows import for_staff
from chat.web.list_pages import Cursor, page_of
from chat.web.requests import PageRequest
from chat.web.review_forms import QueueForm
from chat.web.review_rows import person_of, queue_rows, with_facts
from chat.web.review_transcript import reviewed_transcript

NUM_ROWS = 50
SCRIPTS = tuple(f"js/{name}.js" for name in ("cards", "citations", "review", "sources"))
# What a reviewer's keys do, by the buttons and links that carry them as `data-key`.
KEYS = (
    ("j", "next conversation"),
    ("k", "previous conversation"),
    ("f", "flag"),
    ("r", "resolve"),
    ("u", "back to the queue"),
)


@require_safe
@for_staff
def queue(request: PageRequest) -> HttpResponse:
    """The conversations that the filters leave, newest first, from `?after=` on."""
    form = QueueForm.of(request.GET)
    page = page_of(with_facts(form.filter.rows()), Cursor.parse(request.GET.get("after", "")), NUM_ROWS)
    runtime = get_runtime()
    context = {
        "here": "review",
        "part": "queue",
        "form": form,
        "rows": queue_rows(page.rows),
        "older": page.older,
        "models": [file.name for file in runtime.registry.files()],
        "tools": [spec.name for spec in runtime.tools.specs()],
        "scripts": SCRIPTS,
    }
    return render(request, "review/queue.html", context)


@require_GET
@for_staff
def review(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """One conversation to read, its last messages or those `?before=`, or another branch by `?at=`."""
    conversation = _conversation(conversation_id)
    reviewed = open_for_review(conversation, _reviewer(request))
    form = QueueForm.of(request.GET)
    rows = form.filter.rows()
    context = {
        "here": "review",
        "part": "queue",
        "conversation": conversation,
        "person": person_of(conversation),
        "review": reviewed,
        "statuses": Review.Status.choices,
        "notes": conversation.review_notes.select_related("author"),
        "page": reviewed_transcript(conversation, request.GET),
        "query": form.query,
        "next_id": older_than(rows, conversation),
        "previous_id": newer_than(rows, conversation),
        "keys": KEYS,
        "scripts": SCRIPTS,
    }
    return render(request, "review/conversation.html", context)


@require_POST
@for_staff
def review_status(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Flag, resolve, or put back."""
    conversation = _conversation(conversation_id)
    set_status(conversation, _reviewer(request), request.POST.get("status", ""))
    return _back_to(request, conversation)


@require_POST
@for_staff
def review_note(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Write something down."""
    conversation = _conversation(conversation_id)
    add_note(conversation, _reviewer(request), request.POST.get("text", ""))
    return _back_to(request, conversation, "#notes")


@require_safe
@for_staff
def audit_log(request: PageRequest) -> HttpResponse:
    """Who looked at what, newest first; for superusers."""
    if not _reviewer(request).is_superuser:
        raise Http404
    entries = AuditEntry.objects.order_by("-pk")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        entries = entries.filter(pk__lt=int(before))
    found = list(entries[: NUM_ROWS + 1])
    entries_shown = found[:NUM_ROWS]
    titles = Conversation.objects.in_bulk(
        [entry.conversation_id for entry in entries_shown if entry.conversation_id]
    )
    context: dict[str, Any] = {
        "here": "review",
        "part": "audit",
        "rows": [(entry, titles.get(entry.conversation_id)) for entry in entries_shown],
        "older": entries_shown[-1].pk if len(found) > NUM_ROWS else None,
    }
    return render(request, "review/audit.html", context)


def _conversation(conversation_id: uuid.UUID) -> Conversation:
    """Anybody's, also a deleted one: only for staff."""
    found: Conversation = get_object_or_404(
        Conversation.objects.select_related("owner", "flow"), pk=conversation_id
    )
    return found


def _reviewer(request: PageRequest) -> User:
    """Whom `for_staff` has let in."""
    user = request.actor.user
    if user is None:
        raise Http404
    return user


def _back_to(request: PageRequest, conversation: Conversation, place: str = "") -> HttpResponse:
    query = QueueForm.of(request.GET).query
    return see(f"{reverse('review', args=[conversation.pk])}{query}{place}")
