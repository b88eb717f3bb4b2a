"""Django's admin: accounts to edit; conversations, messages, runs and events to look at.

Messages show as the raw text that was stored, never as rendered Markdown.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.models import Conversation, LoggedEvent, Message, Run, User

LIST_SIZE = 50
EXCERPT_CHARS = 80

admin.site.site_header = admin.site.site_title = "Parley"
admin.site.index_title = "Administration"

admin.site.register(User, UserAdmin)


class LookOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that the program writes: to be read and deleted, not to be edited."""

    list_per_page = LIST_SIZE
    # The number of all rows is a scan of the whole table on every page; the pages need only that of the filtered.
    show_full_result_count = False

    def has_add_permission(self, *_args: Any) -> bool:
        """Never."""
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        """Never."""
        return False


@admin.register(Conversation)
class ConversationAdmin(LookOnly):
    """Whose they are and how they are called."""

    list_display = ("title_or_none", "who", "model", "updated_at", "deleted_at")
    list_select_related = ("owner",)
    list_filter = ("model",)
    search_fields = ("title", "owner__username")
    ordering = ("-updated_at",)
    fields = ("id", "title", "owner", "guest_key", "model", "leaf", "created_at", "updated_at", "deleted_at")

    @admin.display(description="title")
    def title_or_none(self, conversation: Conversation) -> str:
        """A link needs a text."""
        return str(conversation)

    @admin.display(description="owner")
    def who(self, conversation: Conversation) -> str:
        """The account's name, or "guest"."""
        return conversation.owner.get_username() if conversation.owner else "guest"


@admin.register(Message)
class MessageAdmin(LookOnly):
    """The stored parts, as they are."""

    list_display = ("id", "role", "excerpt", "conversation", "created_at")
    list_select_related = ("conversation",)
    list_filter = ("role",)
    ordering = ("-id",)
    fields = ("conversation", "parent", "role", "raw_text", "raw_parts", "created_at")

    @admin.display(description="text")
    def excerpt(self, message: Message) -> str:
        """The beginning of the text."""
        text = message.text
        return text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS] + "…"

    @admin.display(description="text")
    def raw_text(self, message: Message) -> SafeString:
        """The text, uninterpreted."""
        return format_html("<pre>{}</pre>", message.text)

    @admin.display(description="parts")
    def raw_parts(self, message: Message) -> SafeString:
        """What is stored."""
        return _pretty(message.parts)


@admin.register(Run)
class RunAdmin(LookOnly):
    """How answers came to be."""

    list_display = (
        "id",
        "status",
        "model",
        "finish_reason",
        "error_code",
        "conversation",
        "created_at",
        "finished_at",
    )
    list_select_related = ("conversation",)
    list_filter = ("status", "model", "error_code")
    ordering = ("-id",)
    fields = (
        "conversation",
        "reply_id",
        "status",
        "model",
        "raw_params",
        "raw_usage",
        "finish_reason",
        "error_code",
        "error_message",
        "error_hint",
        "created_at",
        "started_at",
        "finished_at",
    )

    @admin.display(description="parameters")
    def raw_params(self, run: Run) -> SafeString:
        """Sampling settings."""
        return _pretty(run.params)

    @admin.display(description="usage")
    def raw_usage(self, run: Run) -> SafeString:
        """Token counts and times."""
        return _pretty(run.usage)


@admin.register(LoggedEvent)
class LoggedEventAdmin(LookOnly):
    """What a run did, step by step."""

    list_display = ("run_id", "seq", "kind", "at_ms")
    list_filter = ("kind",)
    ordering = ("-id",)
    search_fields = ("=run__id",)
    search_help_text = "The number of a run."
    fields = ("run_id", "seq", "kind", "at_ms", "raw_data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        """Lists do not need the data, which may be long."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("changelist")
        return rows.defer("data") if is_list else rows

    @admin.display(description="data")
    def raw_data(self, event: LoggedEvent) -> SafeString:
        """What the event carries."""
        return _pretty(event.data)


def _pretty(value: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
