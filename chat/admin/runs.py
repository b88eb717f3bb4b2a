"""How answers came to be."""

from __future__ import annotations

import uuid

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from chat.admin.look_only import ReadIsRecorded, pretty
from chat.models import LoggedEvent, Run


@admin.register(Run)
class RunAdmin(ReadIsRecorded):
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
        return pretty(run.params)

    @admin.display(description="usage")
    def raw_usage(self, run: Run) -> SafeString:
        """Token counts and times."""
        return pretty(run.usage)


@admin.register(LoggedEvent)
class LoggedEventAdmin(ReadIsRecorded):
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
        return pretty(event.data)

    def conversation_id_of(self, obj: LoggedEvent) -> uuid.UUID:
        """Its run's."""
        return obj.run.conversation_id
