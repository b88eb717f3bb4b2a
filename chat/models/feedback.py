"""What people think of an answer."""

from __future__ import annotations

import uuid

from django.db import models

from chat.models.conversation import Message


class Feedback(models.Model):
    """One rating of one answer; `content` says why."""

    class Rating(models.TextChoices):
        UP = "up", "good"
        DOWN = "down", "bad"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="feedback")
    rating = models.CharField(max_length=4, choices=Rating.choices)
    content = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.rating} for message {self.message_id}"
