"""The documents of a chat as its composer shows them: a chip for each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from chat.models import Actor, Collection, Conversation, Document, DocumentStatus, Picture, Placement
from chat.web.requests import parsed_uuid

# So many chips fit above the text box; more fold into one line once all are read.
MAX_CHIPS = 3


def upload_context() -> dict[str, int]:
    """For the form that takes files."""
    return {"upload_max_mb": settings.PARLEY_UPLOAD_MAX_MB}


@dataclass(frozen=True, slots=True)
class Attachments:
    """A chat's documents, and the pictures that wait for its next message.

    `address` takes more of them; `draft_id` goes along with the first message.
    """

    address: str
    collection_id: uuid.UUID | None = None
    documents: tuple[Document, ...] = ()
    pictures: tuple[Picture, ...] = ()
    draft_id: uuid.UUID | None = None

    @property
    def is_pending(self) -> bool:
        """Some are still being read: the page asks again."""
        return any(document.is_pending for document in self.documents)

    @property
    def is_folded(self) -> bool:
        """There are many, and nothing to say about any of them."""
        is_quiet = all(document.status == DocumentStatus.READY for document in self.documents)
        return is_quiet and len(self.documents) > MAX_CHIPS

    @property
    def announcement(self) -> str:
        """What a screen reader says when it changes."""
        if not self.documents:
            return f"{len(self.pictures)} attached" if self.pictures else ""
        num_pending = sum(document.is_pending for document in self.documents)
        if num_pending:
            return f"Reading {num_pending} document{'' if num_pending == 1 else 's'}"
        num_failed = sum(document.status == DocumentStatus.FAILED for document in self.documents)
        return f"{num_failed} could not be read" if num_failed else "All documents are ready"


def attachments_of(conversation: Conversation) -> Attachments:
    """Those of a conversation, which may have no collection yet. Two queries."""
    return _attachments(
        reverse("conversation_attachments", args=[conversation.pk]),
        Placement.objects.filter(collection__conversation=conversation),
        Picture.objects.filter(collection__conversation=conversation),
    )


def attachments_of_draft(draft: Collection | None) -> Attachments:
    """Those of a chat whose first message is not sent."""
    if draft is None:
        return Attachments(reverse("new_attachments"))
    address = reverse("attachments", args=[draft.pk])
    placements = Placement.objects.filter(collection=draft)
    return _attachments(address, placements, Picture.objects.filter(collection=draft), draft.pk)


def attachments_in(collection: Collection) -> Attachments:
    """Those of a person's collection, whichever of the two it is."""
    if collection.conversation:
        return attachments_of(collection.conversation)
    return attachments_of_draft(collection)


def draft_for(actor: Actor, collection_id: str) -> Collection | None:
    """The actor's collection of a chat to begin; None for anything else, also one that has begun meanwhile."""
    pk = parsed_uuid(collection_id)
    drafts = Collection.objects.visible_to(actor).filter(conversation=None)
    return drafts.filter(pk=pk).first() if pk else None


def collection_of(conversation: Conversation) -> Collection:
    """The conversation's own collection, made when it is missing."""
    owner = {"owner_id": conversation.owner_id, "guest_key": conversation.guest_key}
    collection: Collection
    collection, _ = Collection.objects.get_or_create(conversation=conversation, defaults=owner)
    return collection


def _attachments(
    address: str,
    placements: QuerySet[Placement],
    pictures: QuerySet[Picture],
    draft_id: uuid.UUID | None = None,
) -> Attachments:
    waiting = tuple(pictures.filter(message=None).defer("data"))
    rows = list(placements.select_related("document").defer("document__text").order_by("pk"))
    collection_ids = [*(row.collection_id for row in rows), *(picture.collection_id for picture in waiting)]
    return Attachments(
        address,
        collection_id=next(iter(collection_ids), draft_id),
        documents=tuple(row.document for row in rows),
        pictures=waiting,
        draft_id=draft_id,
    )
