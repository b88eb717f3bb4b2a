"""What the pages of the administration have in common."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.models import User
from chat.runs.reviewing import READ, record

LIST_SIZE = 50
EXCERPT_CHARS = 80


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


class ReadIsRecorded(LookOnly):
    """Rows that hold what people said: opening one leaves an entry in the audit log."""

    def conversation_id_of(self, obj: Any) -> uuid.UUID:
        """The conversation that a row belongs to."""
        found: uuid.UUID = obj.conversation_id
        return found

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """The row's page."""
        if obj := options.get("obj"):
            page = f"administration, {obj._meta.verbose_name}"
            record(reader_of(request), READ, self.conversation_id_of(obj), page=page)
        return super().render_change_form(request, context, *args, **options)


def reader_of(request: HttpRequest) -> User:
    """Whom the administration has let in. Raises: PermissionDenied."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def shortened(text: str) -> str:
    """For a list."""
    return text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS] + "…"


def pretty(value: object) -> SafeString:
    """JSON as text."""
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
