"""Links to conversations."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chat.admin.look_only import LookOnly
from chat.models import ShareLink
from chat.runs.shares import revoke


@admin.register(ShareLink)
class ShareLinkAdmin(LookOnly):
    """What is shared with the world; whoever has the token can read it, so it is not shown whole."""

    list_display = (
        "beginning",
        "conversation",
        "is_live",
        "created_at",
        "expires_at",
        "revoked_at",
        "num_views",
    )
    list_select_related = ("conversation",)
    list_filter = ("is_live", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("conversation__title", "conversation__owner__username")
    ordering = ("-created_at",)
    fields = (
        "beginning",
        "conversation",
        "is_live",
        "shows_tools",
        "shows_sources",
        "has_password",
        "created_at",
        "expires_at",
        "revoked_at",
        "num_views",
    )
    readonly_fields = ("beginning", "has_password")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShareLink]:
        """Without the copies, which may be long."""
        return super().get_queryset(request).defer("snapshot")

    @admin.display(description="token")
    def beginning(self, link: ShareLink) -> str:
        """Enough to tell links apart."""
        return f"{link.token[:6]}…"

    @admin.display(boolean=True, description="password")
    def has_password(self, link: ShareLink) -> bool:
        """Whether viewers are asked for one."""
        return bool(link.password)

    @admin.action(description="Revoke the selected links", permissions=["delete"])
    def revoke(self, _request: HttpRequest, queryset: QuerySet[ShareLink]) -> None:
        """Also those who have them open are cut off."""
        for link in queryset:
            revoke(link)
