"""Flows, which are made and changed on their own page, where their fields are checked; and API keys."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.admin.look_only import LookOnly, pretty
from chat.models import ApiKey, Flow
from chat.models.flow_removal import remove_flow


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
        return pretty(flow.params)

    @admin.display(description="tools")
    def raw_tools(self, flow: Flow) -> SafeString:
        """Names; null: every tool."""
        return pretty(flow.tools)

    @admin.display(description="starter prompts")
    def raw_starter_prompts(self, flow: Flow) -> SafeString:
        """As a new chat shows them."""
        return pretty(flow.starter_prompts)

    @admin.display(description="allowed origins")
    def raw_allowed_origins(self, flow: Flow) -> SafeString:
        """Whose pages may call it."""
        return pretty(flow.allowed_origins)


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
