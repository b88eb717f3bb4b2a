"""Pictures that people show to models."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.db import models

from chat.domain.messages import ImagePart
from chat.models.access import Actor
from chat.models.conversation import Conversation, Message
from chat.models.documents import FILENAME_MAX_CHARS, Collection

_PNG = b"\x89PNG"


class PictureQuerySet(models.QuerySet[Any]):
    """Pictures as a person sees them."""

    def visible_to(self, actor: Actor) -> Self:
        """Those of the actor's own collections: nobody else ever sees them."""
        return self.filter(collection__in=Collection.objects.visible_to(actor))

    def of_owner(self, conversation: Conversation) -> Self:
        """Those of all conversations of the same person."""
        owner, guest_key = conversation.owner_id, conversation.guest_key
        return self.filter(collection__owner=owner, collection__guest_key=guest_key, collection__name=None)

    def waiting(self) -> Self:
        """Attached, and not sent."""
        return self.filter(message=None)


class Picture(models.Model):
    """A PNG or JPEG of our own making. It waits in its collection until it is sent with a message."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="pictures")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, null=True, related_name="pictures")
    name = models.CharField(max_length=FILENAME_MAX_CHARS)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    num_bytes = models.PositiveIntegerField()
    data = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PictureQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def part(self) -> ImagePart:
        """As a message has it: without the bytes."""
        return ImagePart(self.name, self.width, self.height, str(self.pk))

    @property
    def media_type(self) -> str:
        """For browsers."""
        return "image/png" if bytes(self.data[:4]) == _PNG else "image/jpeg"
