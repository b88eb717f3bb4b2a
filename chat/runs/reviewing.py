"""What reviewers do with the conversations of others: reading, status, notes. Each leaves an entry in the audit log,
in the same transaction.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction

from chat.domain.errors import InvalidInput
from chat.models import AuditEntry, Conversation, Review, ReviewNote, User

MAX_NOTE_CHARS = 10_000
READ = "read conversation"


def record(actor: User, action: str, conversation_id: uuid.UUID | None = None, **detail: Any) -> None:
    """Who did what, and to which conversation."""
    AuditEntry.objects.create(
        actor=actor,
        actor_name=actor.get_username(),
        action=action,
        conversation_id=conversation_id,
        detail=detail,
    )


@transaction.atomic
def open_for_review(conversation: Conversation, reviewer: User) -> Review:
    """Where it stands, now that it is being read: what was new is seen."""
    record(reviewer, READ, conversation.pk)
    review, _ = Review.objects.get_or_create(conversation=conversation)
    if review.status == Review.Status.NEW:
        _move(review, Review.Status.SEEN, reviewer)
    return review


@transaction.atomic
def set_status(conversation: Conversation, reviewer: User, status: str) -> None:
    """Raises: InvalidInput for anything but a status."""
    if status not in Review.Status.values:
        raise InvalidInput(
            "There is no such status.", hint=f"Choose one of: {', '.join(Review.Status.values)}."
        )
    record(reviewer, "set status", conversation.pk, status=status)
    review, _ = Review.objects.get_or_create(conversation=conversation)
    _move(review, Review.Status(status), reviewer)


@transaction.atomic
def add_note(conversation: Conversation, reviewer: User, text: str) -> ReviewNote:
    """Only reviewers see it. Raises: InvalidInput for an empty or very long one."""
    text = text.replace("\x00", "").strip()
    if not text or len(text) > MAX_NOTE_CHARS:
        raise InvalidInput(f"A note has 1 to {MAX_NOTE_CHARS:,} characters.", hint="Write it again.")
    record(reviewer, "add note", conversation.pk)
    return ReviewNote.objects.create(conversation=conversation, author=reviewer, text=text)


def _move(review: Review, status: Review.Status, reviewer: User) -> None:
    review.status, review.reviewer = status, reviewer
    review.save(update_fields=["status", "reviewer", "updated_at"])
