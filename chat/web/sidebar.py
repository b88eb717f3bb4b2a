"""The list of conversations, by day, newest first."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.db.models import Exists, OuterRef
from django.utils import timezone

from chat.models import Actor, Conversation, Run
from chat.models.run import LIVE
from chat.web.requests import PageRequest, current_conversation_id

MAX_ROWS = 60
MAX_ROWS_OF_ALL = 2000


@dataclass(frozen=True, slots=True)
class Group:
    """The conversations of a day or a month."""

    label: str
    rows: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True)
class Sidebar:
    """What the list shows; `current_id` is the conversation on the page."""

    groups: tuple[Group, ...]
    current_id: uuid.UUID | None
    has_more: bool


def sidebar_of(actor: Actor, current_id: uuid.UUID | None, max_rows: int = MAX_ROWS) -> Sidebar:
    """One query, however many conversations there are."""
    live = Run.objects.filter(conversation=OuterRef("pk"), status__in=LIVE)
    mine = Conversation.objects.visible_to(actor).kept().annotate(is_running=Exists(live))
    rows = list(mine.order_by("-updated_at", "pk")[: max_rows + 1])
    return Sidebar(tuple(_by_day(rows[:max_rows])), current_id, has_more=len(rows) > max_rows)


def sidebar_for(request: PageRequest) -> Sidebar:
    """The list for the page that a fragment was asked from."""
    return sidebar_of(request.actor, current_conversation_id(request), max_rows_for(request))


def max_rows_for(request: PageRequest) -> int:
    """The newest ones, or with `?chats=all` (on the page that htmx asks from) older ones too."""
    page = request.headers.get("HX-Current-URL") or request.get_full_path()
    return MAX_ROWS_OF_ALL if "chats=all" in page else MAX_ROWS


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


def _by_day(rows: Iterable[Conversation]) -> Iterable[Group]:
    today = timezone.localdate()

    def label(row: Conversation) -> str:
        return day_label(timezone.localdate(row.updated_at), today)

    for name, members in groupby(rows, key=label):
        yield Group(name, tuple(members))
