"""Conversations: trees of messages, of which `leaf` says which branch is shown."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Self

from django.db import models
from django.db.models import Q

from chat.domain.messages import ImagePart, Part, images_of, part_from_dict, part_to_dict, text_of
from chat.models.access import Owned, OwnedQuerySet

TITLE_MAX_CHARS = 120
MODEL_MAX_CHARS = 200
EXTERNAL_ID_MAX_CHARS = 200
TAG_MAX_CHARS = 40


class ConversationQuerySet(OwnedQuerySet):
    """Conversations as a person sees them."""

    def kept(self) -> Self:
        """Without those deleted (which can still be brought back for a while)."""
        return self.filter(deleted_at__isnull=True)


class Conversation(Owned):
    """A tree of messages with one branch on show."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=TITLE_MAX_CHARS, blank=True)
    model = models.CharField(max_length=MODEL_MAX_CHARS, blank=True, help_text="Empty: the default model.")
    flow = models.ForeignKey("chat.Flow", on_delete=models.SET_NULL, null=True, blank=True)
    chat_id = models.CharField(
        max_length=EXTERNAL_ID_MAX_CHARS,
        blank=True,
        db_index=True,
        help_text="The name that a program gave it.",
    )
    session_id = models.CharField(max_length=EXTERNAL_ID_MAX_CHARS, blank=True, db_index=True)
    import_key = models.UUIDField(
        null=True, editable=False, db_index=True, help_text="Names what it was imported from."
    )
    system_prompt = models.TextField(blank=True, help_text="Empty: the flow's, or the server's own.")
    params = models.JSONField(default=dict, blank=True, help_text="Sampling that differs from the flow's.")
    leaf = models.ForeignKey("chat.Message", on_delete=models.SET_NULL, null=True, related_name="+")
    is_unread = models.BooleanField(default=False)
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(db_index=True)
    deleted_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = ConversationQuerySet.as_manager()

    class Meta(Owned.Meta):
        indexes = [
            models.Index(fields=["owner", "-updated_at"], name="conversation_of_owner"),
            models.Index(fields=["guest_key", "-updated_at"], name="conversation_of_guest"),
            models.Index(fields=["owner"], name="pinned_of_owner", condition=Q(pinned_at__isnull=False)),
            models.Index(fields=["guest_key"], name="pinned_of_guest", condition=Q(pinned_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title or "New chat"

    def path_ids(self, to: int | None = None) -> list[int]:
        """Ids of the branch that ends at message `to` (the shown one by default), oldest first.

        One query, two columns: long chats open as fast as short ones.
        """
        parent_of = dict(self.messages.values_list("pk", "parent_id"))
        ids: list[int] = []
        current = to if to is not None else self.leaf_id
        while current is not None and current in parent_of:
            ids.append(current)
            current = parent_of.pop(current)  # popped, so that a damaged tree cannot loop
        return ids[::-1]

    def path(self) -> list[Message]:
        """The shown branch, oldest first, in two queries."""
        return self.messages_by_ids(self.path_ids())

    def messages_by_ids(self, ids: list[int]) -> list[Message]:
        """Some of this conversation's messages, in the order asked for."""
        found = self.messages.in_bulk(ids)
        return [found[pk] for pk in ids if pk in found]


class ConversationTag(models.Model):
    """A word under which its owner finds a conversation again."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=TAG_MAX_CHARS, db_index=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["conversation", "name"], name="tagged_once")]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """One turn. `parent` is the only structure; `key` makes a repeated post find the first one."""

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="children")
    role = models.CharField(max_length=10, choices=Role.choices)
    parts = models.JSONField(default=list)
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "key"], name="message_key_once")]

    def __str__(self) -> str:
        return f"{self.role}: {self.text[:40]}"

    @property
    def content(self) -> tuple[Part, ...]:
        """The parts as values."""
        return tuple(part_from_dict(part) for part in self.parts)

    @property
    def is_question(self) -> bool:
        """A person's turn."""
        return self.role == self.Role.USER

    @property
    def text(self) -> str:
        """The words for the reader."""
        return text_of(self.content)

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The pictures beside the words, without their bytes."""
        return images_of(self.content)

    def set_content(self, parts: Iterable[Part]) -> None:
        """Change `parts` in memory; the caller saves."""
        self.parts = [part_to_dict(part) for part in parts]
