"""Keeping one's conversations in order: pins, the archive, tags, and deleting many at once."""

from __future__ import annotations

import uuid
from collections.abc import Collection as Ids
from datetime import datetime

from django.utils import timezone

from chat.domain.errors import InvalidInput
from chat.models import Actor, Conversation, ConversationTag, Run
from chat.models.conversation import TAG_MAX_CHARS
from chat.models.run import LIVE
from chat.runs.service import RunService

MAX_TAGS = 20


def pin(conversation: Conversation) -> None:
    """Show it above all others. One from the archive comes back."""
    _save(conversation, pinned_at=timezone.now(), archived_at=None)


def unpin(conversation: Conversation) -> None:
    """Show it among those of its day."""
    _save(conversation, pinned_at=None)


def archive(conversation: Conversation) -> None:
    """Take it out of the list; it can still be found."""
    _save(conversation, archived_at=timezone.now(), pinned_at=None)


def unarchive(conversation: Conversation) -> None:
    """Back into the list."""
    _save(conversation, archived_at=None)


def add_tag(conversation: Conversation, name: str) -> None:
    """Once, however often it is added; case does not count.

    Raises: InvalidInput for an empty or long name, or too many.
    """
    name = " ".join(name.replace("\x00", "").split()).removeprefix("#").casefold()
    if not name:
        raise InvalidInput("A tag needs at least one character.")
    if len(name) > TAG_MAX_CHARS:
        raise InvalidInput(f"A tag has at most {TAG_MAX_CHARS} characters; this one has {len(name)}.")
    if conversation.tags.exclude(name=name).count() >= MAX_TAGS:
        raise InvalidInput(f"A chat has at most {MAX_TAGS} tags.", hint="Remove one first.")
    ConversationTag.objects.get_or_create(conversation=conversation, name=name)


def remove_tag(conversation: Conversation, name: str) -> None:
    """Does nothing when it has no such tag."""
    conversation.tags.filter(name=name).delete()


def tags_of(actor: Actor) -> list[str]:
    """All tags that the actor uses, by the alphabet."""
    mine = Conversation.objects.visible_to(actor).kept()
    names = ConversationTag.objects.filter(conversation__in=mine).order_by("name")
    return list(names.values_list("name", flat=True).distinct())


def delete_many(runs: RunService, actor: Actor, ids: Ids[uuid.UUID]) -> datetime:
    """Stop what runs in them and put those of the actor's aside; returns the moment, by which they come back."""
    moment = timezone.now()
    rows = Conversation.objects.visible_to(actor).kept().filter(pk__in=ids)
    for run in Run.objects.filter(conversation__in=rows, status__in=LIVE):
        runs.cancel(run)
    rows.update(deleted_at=moment)
    return moment


def restore_many(actor: Actor, moment: datetime) -> list[uuid.UUID]:
    """Bring back what was deleted at this moment; returns what that is."""
    rows = Conversation.objects.visible_to(actor).filter(deleted_at=moment)
    ids = list(rows.values_list("pk", flat=True))
    rows.update(deleted_at=None)
    return ids


def _save(conversation: Conversation, **times: datetime | None) -> None:
    for name, moment in times.items():
        setattr(conversation, name, moment)
    conversation.save(update_fields=list(times))
