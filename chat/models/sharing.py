"""Links by which anybody may read a conversation."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from chat.models.conversation import Conversation, Message

TOKEN_BYTES = 32


def new_share_token() -> str:
    """256 random bits, as they stand in an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class ShareLinkQuerySet(models.QuerySet["ShareLink"]):
    """Links as their viewers find them."""

    def open(self) -> ShareLinkQuerySet:
        """Neither revoked nor expired, of a conversation that is kept."""
        is_in_time = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(is_in_time, revoked_at=None, conversation__deleted_at=None)


class ShareLink(models.Model):
    """A frozen copy of a branch, or with `is_live` the branch itself as it grows."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="share_links")
    token = models.CharField(max_length=64, unique=True, default=new_share_token, editable=False)
    is_live = models.BooleanField(default=False)
    leaf = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")
    snapshot = models.JSONField(
        default=dict, help_text="Title and messages as they were; empty for a live link."
    )
    shows_tools = models.BooleanField(default=False)
    shows_sources = models.BooleanField(default=False)
    password = models.CharField(max_length=200, blank=True, help_text="Hashed; empty: none is asked for.")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    num_views = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ShareLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"link to {self.conversation}"

    @property
    def is_open(self) -> bool:
        """Whether it still leads anywhere; asks no database."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def count_view(self) -> None:
        """One more, however many come at once."""
        ShareLink.objects.filter(pk=self.pk).update(num_views=F("num_views") + 1)
