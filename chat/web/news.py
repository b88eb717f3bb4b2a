"""Telling a person's other tabs and devices that a conversation has changed. Never tokens: those come by the stream."""

from __future__ import annotations

import uuid
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from chat.models import Actor, Run


def group_of(actor: Actor) -> str:
    """The channel group of all pages that this person has open."""
    return actor.scope.replace(":", "-")


def tell_run_started(actor: Actor, run: Run) -> None:
    """A run of this conversation has begun."""
    _tell(actor, {"type": "run.started", "conversation": str(run.conversation_id), "run": run.pk})


def tell_list_changed(actor: Actor, conversation_id: uuid.UUID) -> None:
    """A conversation has another title, other settings, shows another branch, has gone or has come back."""
    _tell(actor, {"type": "list.changed", "conversation": str(conversation_id)})


def _tell(actor: Actor, message: dict[str, Any]) -> None:
    async_to_sync(get_channel_layer().group_send)(group_of(actor), message)
