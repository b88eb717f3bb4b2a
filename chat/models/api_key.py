"""API keys: shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from chat.models.flow import Flow
from chat.models.user import User

PREFIX = "pk-"
SHOWN_CHARS = 8
NAME_MAX_CHARS = 80
# Not with every request: `last_used_at` is for people who tidy up.
USE_NOTED_EVERY = timedelta(minutes=1)


class Right(models.TextChoices):
    """What a key may do."""

    GENERATE = "generate", "ask flows and models"
    HISTORY = "history", "read and delete its conversations"
    FLOWS = "flows", "list flows and their settings"


def all_rights() -> list[str]:
    """What a new key may do unless less is asked for."""
    return [right.value for right in Right]


class ApiKeyManager(models.Manager["ApiKey"]):
    """Making and finding keys."""

    def issue(self, user: User, name: str, **fields: Any) -> tuple[ApiKey, str]:
        """A new key and its secret, which is told only here."""
        secret = PREFIX + secrets.token_urlsafe(32)
        shown = secret[: len(PREFIX) + SHOWN_CHARS]
        return self.create(user=user, name=name, shown=shown, digest=digest_of(secret), **fields), secret

    def of_secret(self, secret: str) -> ApiKey | None:
        """The live key with this secret, of an account that is not suspended."""
        rows = self.select_related("user").filter(revoked_at__isnull=True, user__is_active=True)
        return rows.filter(digest=digest_of(secret)).first()


class ApiKey(models.Model):
    """A program's way in, in the name of a person."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=NAME_MAX_CHARS)
    shown = models.CharField(max_length=20, editable=False, help_text="The beginning, to tell keys apart.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    rights = models.JSONField(default=all_rights)
    flows = models.ManyToManyField(Flow, blank=True, help_text="None: all flows and all models.")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyManager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.shown}…)"

    def covers(self, flow: Flow | None) -> bool:
        """Whether the key may be used for a flow; None stands for a model without a flow."""
        allowed = {row.pk for row in self.flows.all()}
        return not allowed or (flow is not None and flow.pk in allowed)

    def note_use(self) -> None:
        """Store that the key was used, at most once a minute."""
        now = timezone.now()
        if self.last_used_at is None or now - self.last_used_at >= USE_NOTED_EVERY:
            ApiKey.objects.filter(pk=self.pk).update(last_used_at=now)

    def revoke(self) -> None:
        """End the key; it stays in the list."""
        self.revoked_at = self.revoked_at or timezone.now()
        self.save(update_fields=["revoked_at"])


def digest_of(secret: str) -> str:
    """SHA-256 in hex: the secret has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
