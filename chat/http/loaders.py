"""Rows for a request. Each loader carries the access rule: what is not the actor's own does not exist."""

from __future__ import annotations

import uuid

from django.shortcuts import get_object_or_404

from chat.models import Actor, Collection, Conversation, Document, Message, Picture, Run, ShareLink
from chat.models.conversation import ConversationQuerySet


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


def inspected_message_for(actor: Actor, message_id: int) -> Message:
    """A message whose making the actor may look into: their own, for staff anyone's. Raises: Http404."""
    rows = Message.objects.select_related("conversation").filter(conversation__in=_inspected(actor))
    return get_object_or_404(rows, pk=message_id)


def inspected_run_for(actor: Actor, run_id: int) -> Run:
    """A run that the actor may look into: in their own conversation, for staff in anyone's. Raises: Http404."""
    rows = Run.objects.select_related("conversation", "reply").filter(conversation__in=_inspected(actor))
    return get_object_or_404(rows, pk=run_id)


def _inspected(actor: Actor) -> ConversationQuerySet:
    kept = Conversation.objects.kept()
    return kept if actor.user and actor.user.is_staff else kept.visible_to(actor)


def collection_for(actor: Actor, collection_id: uuid.UUID) -> Collection:
    """The actor's own collection, of a conversation or of a chat to begin. Raises: Http404."""
    found: Collection = get_object_or_404(Collection.objects.visible_to(actor), pk=collection_id)
    return found


def document_for(actor: Actor, document_id: uuid.UUID) -> Document:
    """A document that the actor may read, without its text, which may be long. Raises: Http404."""
    readable = Document.objects.readable_by(actor).defer("text")
    found: Document = get_object_or_404(readable, pk=document_id)
    return found


def picture_for(actor: Actor, picture_id: uuid.UUID) -> Picture:
    """A picture of the actor's. Raises: Http404."""
    found: Picture = get_object_or_404(Picture.objects.visible_to(actor), pk=picture_id)
    return found


def share_link_for(actor: Actor, link_id: int) -> ShareLink:
    """A link to a conversation of the actor's, closed or not. Raises: Http404."""
    mine = Conversation.objects.kept().visible_to(actor)
    return get_object_or_404(
        ShareLink.objects.select_related("conversation").filter(conversation__in=mine), pk=link_id
    )


def open_link_for(token: str) -> ShareLink:
    """The link that anybody with its token may follow. Raises: Http404, for a closed one as for one never made."""
    return get_object_or_404(ShareLink.objects.open().select_related("conversation"), token=token)
