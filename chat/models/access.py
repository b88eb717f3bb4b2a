"""Who may see what: every query for an owned row starts at `visible_to(actor)`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from chat.models.user import User


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever is behind a request: an account, or a guest known by the key in a signed cookie; never both."""

    user: User | None = None
    guest_key: uuid.UUID | None = None

    @property
    def scope(self) -> str:
        """A name for this person under which the engine keeps cached text apart from everyone else's."""
        return scope_of(self.user.pk if self.user else None, self.guest_key)

    @property
    def ownership(self) -> dict[str, Any]:
        """The field values of a row that belongs to this actor."""
        return {"owner": self.user} if self.user else {"guest_key": self.guest_key}


def scope_of(user_id: int | None, guest_key: uuid.UUID | None) -> str:
    """See `Actor.scope`."""
    return f"user:{user_id}" if user_id is not None else f"guest:{guest_key}"


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows that belong to someone."""

    def visible_to(self, actor: Actor) -> Self:
        """Only the actor's own; nothing for an actor without account and key."""
        if actor.user:
            return self.filter(owner=actor.user)
        if actor.guest_key:
            return self.filter(guest_key=actor.guest_key)
        return self.none()


class Owned(models.Model):
    """A row that belongs to one account or to one guest."""

    owner = models.ForeignKey(
        "chat.User", on_delete=models.CASCADE, null=True, blank=True, related_name="%(class)ss"
    )
    guest_key = models.UUIDField(null=True, blank=True, editable=False, db_index=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(owner__isnull=False, guest_key__isnull=True)
                | Q(owner__isnull=True, guest_key__isnull=False),
                name="%(class)s_has_one_owner",
            )
        ]

    @property
    def scope(self) -> str:
        """The owner's `Actor.scope`."""
        return scope_of(self.owner_id, self.guest_key)
