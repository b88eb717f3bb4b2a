"""What people and reviewers think of answers, and who looked at them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from chat.admin.look_only import LookOnly, pretty, shortened
from chat.models import AuditEntry, Feedback, Review, ReviewNote


@admin.register(Feedback)
class FeedbackAdmin(LookOnly):
    """What people think of answers."""

    list_display = ("created_at", "rating", "excerpt", "message")
    list_select_related = ("message",)
    list_filter = ("rating", "created_at")
    search_fields = ("content", "message__conversation__title", "message__conversation__owner__username")
    ordering = ("-created_at",)
    fields = ("id", "message", "rating", "content", "created_at")

    @admin.display(description="reason")
    def excerpt(self, feedback: Feedback) -> str:
        """The beginning of what was written."""
        return shortened(feedback.content)


@admin.register(Review)
class ReviewAdmin(LookOnly):
    """Where conversations stand; the review pages change it."""

    list_display = ("conversation", "status", "reviewer", "updated_at")
    list_select_related = ("conversation", "reviewer")
    list_filter = ("status",)
    search_fields = ("conversation__title", "reviewer__username")
    ordering = ("-updated_at",)
    fields = ("conversation", "status", "reviewer", "updated_at")


@admin.register(ReviewNote)
class ReviewNoteAdmin(LookOnly):
    """What reviewers wrote down."""

    list_display = ("created_at", "author", "excerpt", "conversation")
    list_select_related = ("author", "conversation")
    search_fields = ("text", "author__username", "conversation__title")
    ordering = ("-created_at",)
    fields = ("conversation", "author", "text", "created_at")

    @admin.display(description="note")
    def excerpt(self, note: ReviewNote) -> str:
        """The beginning of the text."""
        return shortened(note.text)


@admin.register(AuditEntry)
class AuditEntryAdmin(LookOnly):
    """Who did what with what belongs to others. Nobody changes or deletes it here."""

    list_display = ("at", "actor_name", "action", "conversation_id")
    list_filter = ("action", "at")
    search_fields = ("actor_name", "=conversation_id")
    ordering = ("-at", "-pk")
    fields = ("at", "actor", "actor_name", "action", "conversation_id", "raw_detail")

    def has_delete_permission(self, *_args: Any) -> bool:
        """Never."""
        return False

    @admin.display(description="detail")
    def raw_detail(self, entry: AuditEntry) -> SafeString:
        """What more there is to say."""
        return pretty(entry.detail)
