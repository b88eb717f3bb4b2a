"""Taking documents away with all that was made of them: file, passages, words, vectors."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from chat.models import Collection, Document, Placement
from chat.retrieval.files import FileStore

# Files were chosen, but the first message was never sent.
ABANDONED_AFTER = timedelta(days=7)


def take_out(collection: Collection, document: Document) -> None:
    """Remove the document from this collection; it may be in others."""
    with transaction.atomic():
        num_removed, _ = Placement.objects.filter(collection=collection, document=document).delete()
        if num_removed:
            Collection.objects.filter(pk=collection.pk).update(version=F("version") + 1)


def remove_orphans(files: FileStore) -> int:
    """Remove the documents that no collection holds, and how many."""
    return remove_if_orphaned(files, Document.objects.filter(placements=None).values_list("pk", flat=True))


def remove_if_orphaned(files: FileStore, document_ids: Iterable[uuid.UUID]) -> int:
    """Remove those of them that no collection holds. A document that is being read may go as well."""
    num_removed = 0
    for pk in list(document_ids):
        # Each in its own transaction: a thousand passages take a while to delete, and others want to write.
        with transaction.atomic():
            num_rows, _ = Document.objects.filter(pk=pk, placements=None).delete()
        if num_rows:
            files.delete(pk)
            num_removed += 1
    return num_removed


def remove_abandoned() -> None:
    """Remove the collections of conversations that never began."""
    old = timezone.now() - ABANDONED_AFTER
    Collection.objects.filter(name=None, conversation=None, created_at__lt=old).delete()


def remove_strays(files: FileStore) -> None:
    """Remove files without a document: a crash came between the two."""
    strays = set(files.strays())
    for file_id in strays - set(Document.objects.filter(pk__in=strays).values_list("pk", flat=True)):
        files.delete(file_id)
