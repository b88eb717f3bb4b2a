"""May a file come in, and is it here already? Decided in one transaction, so that two uploads at once cannot cheat."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet, Sum

from chat.domain.errors import InvalidInput, NotFound
from chat.models import Actor, Collection, Document, DocumentStatus, Placement
from chat.retrieval.files import StoredFile
from chat.retrieval.kinds import MEDIA_TYPES, Kind


@dataclass(frozen=True, slots=True)
class Quota:
    """What one person may keep. The server's own collections have no bounds."""

    bytes_per_person: int
    documents_per_person: int = 1000
    documents_per_collection: int = 200

    def check(self, collection: Collection, num_bytes: int) -> None:
        """Is there room for one more document of this size? Raises: InvalidInput."""
        if collection.name is not None:
            return
        if collection.placements.count() >= self.documents_per_collection:
            raise InvalidInput(
                f"A conversation has at most {self.documents_per_collection} documents.",
                hint="Begin another, or remove some.",
            )
        placed = Placement.objects.filter(collection__in=_side_by_side(collection))
        mine = Document.objects.filter(pk__in=placed.values("document"))
        used_bytes = mine.aggregate(sum=Sum("num_bytes"))["sum"] or 0
        if mine.count() >= self.documents_per_person or used_bytes + num_bytes > self.bytes_per_person:
            raise InvalidInput(
                f"You may keep {self.documents_per_person} documents of"
                f" {self.bytes_per_person // 2**20} MB together.",
                hint="Remove some first. Those of a deleted conversation count for seven days more.",
            )


def check_may_fill(collection: Collection, actor: Actor | None) -> None:
    """Staff fill the server's collections, everybody their own; None is the operator. Raises: NotFound."""
    is_staff = actor is None or (actor.user is not None and actor.user.is_staff)
    if is_staff and (actor is None or collection.name is not None):
        return
    if actor is None or not Collection.objects.visible_to(actor).filter(pk=collection.pk).exists():
        raise _no_collection()


def admit(collection: Collection, filename: str, kind: Kind, stored: StoredFile, quota: Quota) -> Document:
    """The document of a stored file, in the collection: the one there is, tried anew if it had failed, or a new one.

    A new one has the id of the stored file. Raises: NotFound when the collection is gone, InvalidInput.
    """
    with transaction.atomic():
        reach = _locked(collection)
        known = _known(reach, kind, stored)
        if known is None or not collection.placements.filter(document=known).exists():
            quota.check(collection, 0 if known else stored.num_bytes)
        document = _tried_anew(known, filename) if known else _created(filename, kind, stored)
        _place(collection, document)
    return document


def admit_again(collection: Collection, document: Document, quota: Quota) -> None:
    """Put a document that the same person has elsewhere into the collection, too.

    Raises: NotFound when one of the two is gone or another's, InvalidInput.
    """
    with transaction.atomic():
        reach = _locked(collection)
        if not Placement.objects.filter(collection__in=reach, document=document).exists():
            raise NotFound("There is no such document.", hint="It may have been removed.")
        if not collection.placements.filter(document=document).exists():
            quota.check(collection, num_bytes=0)
        _place(collection, document)


def _locked(collection: Collection) -> QuerySet[Collection]:
    """It and those beside it, until the transaction ends. Raises: NotFound when it is gone."""
    reach = _side_by_side(collection)
    if collection.pk not in set(reach.select_for_update().order_by("pk").values_list("pk", flat=True)):
        raise _no_collection()
    return reach


def _place(collection: Collection, document: Document) -> None:
    _, is_placed = Placement.objects.get_or_create(collection=collection, document=document)
    if is_placed and document.status == DocumentStatus.READY:
        Collection.objects.filter(pk=collection.pk).update(version=F("version") + 1)


def _side_by_side(collection: Collection) -> QuerySet[Collection]:
    """The collections of the same person, or all of the server's."""
    if collection.name is not None:
        return Collection.objects.named()
    return Collection.objects.filter(name=None, owner=collection.owner_id, guest_key=collection.guest_key)


def _known(reach: QuerySet[Collection], kind: Kind, stored: StoredFile) -> Document | None:
    """The same bytes, read the same way."""
    placed = Placement.objects.filter(collection__in=reach, document__sha256=stored.sha256)
    same = Document.objects.filter(pk__in=placed.values("document"), media_type=MEDIA_TYPES[kind])
    document: Document | None = same.select_for_update().first()
    return document


def _tried_anew(document: Document, filename: str) -> Document:
    if document.status == DocumentStatus.FAILED:
        document.filename = filename
        document.status = DocumentStatus.QUEUED
        document.error_message = ""
        document.save(update_fields=["filename", "status", "error_message"])
    return document


def _created(filename: str, kind: Kind, stored: StoredFile) -> Document:
    return Document.objects.create(
        pk=stored.id,
        filename=filename,
        sha256=stored.sha256,
        media_type=MEDIA_TYPES[kind],
        num_bytes=stored.num_bytes,
    )


def _no_collection() -> NotFound:
    return NotFound("There is no such collection.", hint="It may have been deleted.")
