"""What reviewers make of conversations, and the record of who looked at what."""

from __future__ import annotations

from django.db import models

from chat.models.conversation import Conversation
from chat.models.user import User


class Review(models.Model):
    """Where a conversation stands in the review. One without a row is new."""

    class Status(models.TextChoices):
        NEW = "new"
        SEEN = "seen"
        FLAGGED = "flagged"
        RESOLVED = "resolved"

    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="review")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW, db_index=True)
    reviewer = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.status}: {self.conversation}"


class ReviewNote(models.Model):
    """What a reviewer wrote down; the owner of the conversation does not see it."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="review_notes")
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.text[:60]


class AuditEntry(models.Model):
    """Something that somebody did with what belongs to others. It outlives what it is about."""

    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=40, db_index=True)
    conversation_id = models.UUIDField(null=True, blank=True, db_index=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-at"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action}"
