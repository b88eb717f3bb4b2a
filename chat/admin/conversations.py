"""What people asked and what was answered: the raw text that was stored, never rendered Markdown."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.admin.look_only import LookOnly, ReadIsRecorded, pretty, reader_of, shortened
from chat.domain.calls import FollowedCall
from chat.models import Conversation, ConversationTag, LoggedEvent, Message
from chat.runs.reviewing import record


@admin.register(Conversation)
class ConversationAdmin(ReadIsRecorded):
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

    def conversation_id_of(self, obj: Conversation) -> uuid.UUID:
        """Its own."""
        return obj.pk


@admin.register(Message)
class MessageAdmin(ReadIsRecorded):
    """The stored parts, as they are."""

    list_display = ("id", "role", "excerpt", "conversation", "created_at")
    list_select_related = ("conversation",)
    list_filter = ("role",)
    ordering = ("-id",)
    fields = ("conversation", "parent", "role", "raw_text", "tool_calls", "raw_parts", "created_at")

    class Media:
        css = {"all": ("css/tokens.css", "css/tools.css", "css/admin.css")}

    @admin.display(description="text")
    def excerpt(self, message: Message) -> str:
        """The beginning of the text."""
        return shortened(message.text)

    @admin.display(description="text")
    def raw_text(self, message: Message) -> SafeString:
        """The text, uninterpreted."""
        return format_html("<pre>{}</pre>", message.text)

    @admin.display(description="tool calls")
    def tool_calls(self, message: Message) -> SafeString:
        """The cards of the page, in which all text is escaped."""
        calls = FollowedCall.of_parts(message.content)
        answers = LoggedEvent.objects.filter(run__reply=message, kind="approval_answered")
        words = {row.data["call_id"]: row.data["is_allowed"] for row in answers}
        for call in calls:
            if call.call.id in words:
                call.take_word(words[call.call.id])
        return render_to_string("admin/tool_calls.html", {"calls": calls, "message_id": message.pk})

    @admin.display(description="parts")
    def raw_parts(self, message: Message) -> SafeString:
        """What is stored."""
        return pretty(message.parts)

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """The list shows beginnings of messages, which is reading too."""
        record(reader_of(request), "list messages")
        return super().changelist_view(request, *args, **options)


@admin.register(ConversationTag)
class ConversationTagAdmin(LookOnly):
    """The words under which people find their conversations again."""

    list_display = ("name", "conversation")
    list_select_related = ("conversation",)
    search_fields = ("name", "conversation__title")
    ordering = ("name", "pk")
    fields = ("name", "conversation")
