"""Documents that answers draw on: files, their text in chunks, and the collections they are in."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import Q

from chat.models.access import Actor, Owned, OwnedQuerySet
from chat.models.conversation import Conversation

COLLECTION_NAME_MAX_CHARS = 80
FILENAME_MAX_CHARS = 255


class CollectionQuerySet(OwnedQuerySet):
    """Collections as a person sees them."""

    def visible_to(self, actor: Actor) -> Self:
        """The actor's own, of conversations that are kept or still to begin."""
        mine = super().visible_to(actor)
        return mine.filter(Q(conversation=None) | Q(conversation__deleted_at=None))

    def named(self) -> Self:
        """The server's, which staff fill and flows use."""
        return self.filter(name__isnull=False)


class Collection(Owned):
    """Documents that are searched together: one conversation's, or a named one of the server's.

    A person's collection has no conversation as long as its first message was not sent.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=COLLECTION_NAME_MAX_CHARS, unique=True, null=True, blank=True)
    conversation = models.OneToOneField(
        Conversation, on_delete=models.CASCADE, null=True, blank=True, related_name="collection"
    )
    documents: models.ManyToManyField[Document, Placement] = models.ManyToManyField(
        "chat.Document", through="chat.Placement", related_name="collections"
    )
    version = models.PositiveIntegerField(default=0, help_text="Counts the changes to what is searched.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        ordering = ["name", "created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(name__isnull=False, owner=None, guest_key=None, conversation=None)
                | Q(name=None, owner__isnull=False, guest_key=None)
                | Q(name=None, owner=None, guest_key__isnull=False),
                name="collection_is_named_or_owned",
            )
        ]

    def __str__(self) -> str:
        return self.name or f"Documents of {self.conversation or 'a new chat'}"


class DocumentStatus(models.TextChoices):
    """`queued -> reading -> indexing -> ready`, or `failed` from any of them."""

    QUEUED = "queued"
    READING = "reading"
    INDEXING = "indexing"
    READY = "ready"
    FAILED = "failed"


PENDING = (DocumentStatus.QUEUED, DocumentStatus.READING, DocumentStatus.INDEXING)


class DocumentQuerySet(models.QuerySet[Any]):
    """Documents as a person sees them: only through a collection."""

    def readable_by(self, actor: Actor) -> Self:
        """Those of the actor's collections, of the flows that the actor's conversations use, and all for staff that
        are in a named collection.
        """
        mine = Q(collections__in=Collection.objects.visible_to(actor))
        flows = Conversation.objects.kept().visible_to(actor).values("flow__collection")
        allowed = mine | Q(collections__in=flows)
        if actor.user and actor.user.is_staff:
            allowed |= Q(collections__name__isnull=False)
        return self.filter(allowed).distinct()

    def pending(self) -> Self:
        """Not yet ready to be searched."""
        return self.filter(status__in=PENDING)


class Document(models.Model):
    """A file and its text. It lives as long as some collection holds it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    filename = models.CharField(max_length=FILENAME_MAX_CHARS)
    sha256 = models.CharField(max_length=64, db_index=True)
    media_type = models.CharField(max_length=100, blank=True)
    num_bytes = models.PositiveBigIntegerField()
    text = models.TextField(blank=True)
    num_pages = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=DocumentStatus.choices, default=DocumentStatus.QUEUED)
    num_chunks = models.PositiveIntegerField(default=0)
    num_indexed = models.PositiveIntegerField(default=0)
    embedder = models.CharField(max_length=200, blank=True, help_text="The model that made the vectors.")
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "filename"]
        indexes = [models.Index(fields=["status"], condition=Q(status__in=PENDING), name="pending_documents")]

    def __str__(self) -> str:
        return self.filename

    @property
    def is_pending(self) -> bool:
        """Not yet ready to be searched."""
        return self.status in PENDING


class Placement(models.Model):
    """A document in a collection."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="placements")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="placements")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "document"], name="placed_once")]

    def __str__(self) -> str:
        return f"{self.document} in {self.collection}"


class Chunk(models.Model):
    """A passage of a document's text, `text[start:end]` of it. `vector` holds float32 values, little-endian."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    text = models.TextField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    page = models.PositiveIntegerField(null=True, blank=True)
    vector = models.BinaryField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="chunk_once")]

    def __str__(self) -> str:
        return f"{self.document_id}/{self.position}"
