"""The list of conversations: the pinned ones, then the others by day, newest first, in pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.utils import timezone

from chat.models import Actor, Conversation
from chat.models.conversation import ConversationQuerySet
from chat.web.list_pages import Cursor, listed, page_of
from chat.web.requests import PageRequest, current_conversation_id

NUM_ROWS = 50
# A list that is made anew keeps the length to which it was scrolled, within reason.
MAX_ROWS = 500
MAX_PINNED = 100


@dataclass(frozen=True, slots=True)
class Group:
    """The conversations of a day or a month. Without a label: more of the last group of the page before."""

    label: str
    rows: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True)
class Sidebar:
    """What the list shows; `current_id` is the conversation on the page, `older` where the list goes on."""

    groups: tuple[Group, ...]
    current_id: uuid.UUID | None
    older: Cursor | None
    is_first: bool = True


def sidebar_of(actor: Actor, current_id: uuid.UUID | None, num_rows: int = NUM_ROWS) -> Sidebar:
    """The beginning, in two queries, however many conversations there are."""
    pinned = listed(actor).filter(pinned_at__isnull=False, archived_at=None).order_by("-pinned_at")
    page = page_of(_by_time(actor), None, num_rows)
    groups = [Group("Pinned", rows)] if (rows := tuple(pinned[:MAX_PINNED])) else []
    return Sidebar((*groups, *_by_day(page.rows)), current_id, page.older)


def sidebar_after(actor: Actor, current_id: uuid.UUID | None, after: Cursor) -> Sidebar:
    """The next page, in one query."""
    page = page_of(_by_time(actor), after, NUM_ROWS)
    groups = tuple(_by_day(page.rows))
    if groups and groups[0].label == _label(timezone.localdate(after.updated_at)):
        groups = (Group("", groups[0].rows), *groups[1:])
    return Sidebar(groups, current_id, page.older, is_first=False)


def sidebar_for(request: PageRequest) -> Sidebar:
    """The list for the page that a fragment was asked from, as long as it is there."""
    shown = request.headers.get("Parley-Rows", "")
    num_rows = int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 6 else 0
    current_id = current_conversation_id(request)
    return sidebar_of(request.actor, current_id, min(max(num_rows, NUM_ROWS), MAX_ROWS))


def day_label(day: date, today: date) -> str:
    """Today, Yesterday, Previous 7 days, then the month."""
    age_days = (today - day).days
    if age_days <= 0:
        return "Today"
    if age_days == 1:
        return "Yesterday"
    if age_days <= 7:
        return "Previous 7 days"
    return day.strftime("%B") if day.year == today.year else day.strftime("%B %Y")


def _by_time(actor: Actor) -> ConversationQuerySet:
    return listed(actor).filter(pinned_at=None, archived_at=None)


def _by_day(rows: Iterable[Conversation]) -> Iterable[Group]:
    for name, members in groupby(rows, key=lambda row: _label(timezone.localdate(row.updated_at))):
        yield Group(name, tuple(members))


def _label(day: date) -> str:
    return day_label(day, timezone.localdate())
