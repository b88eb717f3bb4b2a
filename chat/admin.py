"""Django's admin: accounts to edit; keys to revoke; flows, conversations, messages, runs and events to look at.

Flows are made and changed on their own page, which checks their fields.

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

from chat.models import ApiKey, Conversation, Feedback, Flow, LoggedEvent, Message, Run, User
from chat.models.flow_removal import remove_flow

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

    list_display = ("title_or_none", "who", "model", "flow", "updated_at", "deleted_at")
    list_select_related = ("owner", "flow")
    list_filter = ("model", "flow")
    search_fields = ("title", "owner__username")
    ordering = ("-updated_at",)
    fields = (
        "id",
        "title",
        "owner",
        "guest_key",
        "model",
        "flow",
        "chat_id",
        "session_id",
        "leaf",
        "created_at",
        "updated_at",
        "deleted_at",
    )

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
        return _shortened(message.text)

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


@admin.register(Flow)
class FlowAdmin(LookOnly):
    """How assistants are set up."""

    list_display = ("name", "model", "requires_key", "created_at", "updated_at")
    list_filter = ("requires_key",)
    search_fields = ("name",)
    ordering = ("created_at",)
    fields = (
        "id",
        "name",
        "model",
        "raw_system_prompt",
        "raw_params",
        "raw_tools",
        "raw_starter_prompts",
        "raw_allowed_origins",
        "requires_key",
        "rate_limit_requests",
        "rate_limit_window_s",
        "created_at",
        "updated_at",
    )

    def has_delete_permission(self, request: HttpRequest, obj: Flow | None = None) -> bool:
        """Not the flow of a fresh install."""
        return super().has_delete_permission(request, obj) and not (obj and obj.is_default)

    def delete_model(self, request: HttpRequest, obj: Flow) -> None:
        """With the keys that were for it alone."""
        remove_flow(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Flow]) -> None:
        """The same for several."""
        for flow in queryset:
            remove_flow(flow)

    @admin.display(description="system prompt")
    def raw_system_prompt(self, flow: Flow) -> SafeString:
        """The text, uninterpreted."""
        return format_html("<pre>{}</pre>", flow.system_prompt)

    @admin.display(description="sampling")
    def raw_params(self, flow: Flow) -> SafeString:
        """What differs from the server's."""
        return _pretty(flow.params)

    @admin.display(description="tools")
    def raw_tools(self, flow: Flow) -> SafeString:
        """Names; null: every tool."""
        return _pretty(flow.tools)

    @admin.display(description="starter prompts")
    def raw_starter_prompts(self, flow: Flow) -> SafeString:
        """As a new chat shows them."""
        return _pretty(flow.starter_prompts)

    @admin.display(description="allowed origins")
    def raw_allowed_origins(self, flow: Flow) -> SafeString:
        """Whose pages may call it."""
        return _pretty(flow.allowed_origins)


@admin.register(ApiKey)
class ApiKeyAdmin(LookOnly):
    """Whose keys there are; their hashes are no one's business."""

    list_display = ("name", "shown", "user", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "shown", "user__username")
    ordering = ("-created_at",)
    fields = ("name", "shown", "user", "rights", "flows", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    @admin.action(description="Revoke the selected keys", permissions=["delete"])
    def revoke(self, _request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """They stay in the list."""
        for key in queryset:
            key.revoke()


@admin.register(Feedback)
class FeedbackAdmin(LookOnly):
    """What people think of answers."""

    list_display = ("created_at", "rating", "excerpt", "message")
    list_select_related = ("message",)
    list_filter = ("rating",)
    ordering = ("-created_at",)
    fields = ("id", "message", "rating", "content", "created_at")

    @admin.display(description="reason")
    def excerpt(self, feedback: Feedback) -> str:
        """The beginning of what was written."""
        return _shortened(feedback.content)


def _shortened(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS] + "…"


def _pretty(value: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
