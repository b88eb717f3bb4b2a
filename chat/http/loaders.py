"""Rows for a request. Each loader carries the access rule: what is not the actor's own does not exist."""

from __future__ import annotations

import uuid

from django.shortcuts import get_object_or_404

from chat.models import Actor, Conversation, Message, Run


def conversation_for(actor: Actor, conversation_id: uuid.UUID) -> Conversation:
    """The actor's conversation. Raises: Http404, also for one that was deleted."""
    found: Conversation = get_object_or_404(Conversation.objects.kept().visible_to(actor), pk=conversation_id)
    return found


def deleted_conversation_for(actor: Actor, conversation_id: uuid.UUID) -> Conversation:
    """The actor's conversation, deleted or not: for bringing it back. Raises: Http404."""
    found: Conversation = get_object_or_404(Conversation.objects.visible_to(actor), pk=conversation_id)
    return found


def message_for(actor: Actor, message_id: int) -> Message:
    """A message in a conversation of the actor's. Raises: Http404."""
    mine = Conversation.objects.kept().visible_to(actor)
    return get_object_or_404(
        Message.objects.select_related("conversation").filter(conversation__in=mine), pk=message_id
    )


def run_for(actor: Actor, run_id: int) -> Run:
    """A run in a conversation of the actor's. Raises: Http404."""
    mine = Conversation.objects.kept().visible_to(actor)
    rows = Run.objects.select_related("conversation", "reply").filter(conversation__in=mine)
    return get_object_or_404(rows, pk=run_id)
