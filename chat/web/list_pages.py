"""Long lists of conversations in pages: each begins after the last row of the one before, whatever changed since."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from django.db.models import Exists, OuterRef, Q

from chat.models import Actor, Conversation, Run
from chat.models.conversation import ConversationQuerySet
from chat.models.run import LIVE

_MICROSECONDS = 1_000_000
_MAX_DIGITS = 17


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list from the newest to the oldest: right after this row."""

    updated_at: datetime
    pk: uuid.UUID

    @classmethod
    def of(cls, row: Conversation) -> Self:
        """After this conversation."""
        return cls(row.updated_at, row.pk)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for anything but the text of a cursor."""
        moment, _, pk = text.partition("-")
        if not (moment.isascii() and moment.isdigit() and len(moment) <= _MAX_DIGITS):
            return None
        try:
            return cls(datetime.fromtimestamp(int(moment) / _MICROSECONDS, UTC), uuid.UUID(pk))
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        """For an address."""
        return f"{round(self.updated_at.timestamp() * _MICROSECONDS)}-{self.pk.hex}"


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some rows, and where the next page begins; None after the last."""

    rows: Sequence[Conversation]
    older: Cursor | None


def listed(actor: Actor) -> ConversationQuerySet:
    """What the actor's lists show; `is_running` says whether an answer is being written."""
    live = Run.objects.filter(conversation=OuterRef("pk"), status__in=LIVE)
    rows = Conversation.objects.visible_to(actor).kept().annotate(is_running=Exists(live))
    found: ConversationQuerySet = rows.defer("system_prompt", "params")
    return found


def page_of(rows: ConversationQuerySet, after: Cursor | None, num_rows: int) -> ListPage:
    """One query, however long the list is and however far on the page lies."""
    if after:
        # The first half lets SQLite begin at the place in the index; an OR alone would read all before it.
        rows = rows.filter(
            Q(updated_at__lt=after.updated_at) | Q(pk__gt=after.pk), updated_at__lte=after.updated_at
        )
    found = list(rows.order_by("-updated_at", "pk")[: num_rows + 1])
    shown = found[:num_rows]
    return ListPage(shown, Cursor.of(shown[-1]) if len(found) > num_rows else None)
