"""Library: the one door to documents, for the page, the APIs and the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from chat.models import Actor, Collection, Document
from chat.retrieval.admission import Quota, admit, admit_again, check_may_fill
from chat.retrieval.files import FileStore
from chat.retrieval.kinds import check_head, display_name, kind_of
from chat.retrieval.removal import (
    remove_abandoned,
    remove_if_orphaned,
    remove_orphans,
    remove_strays,
    take_out,
)
from chat.retrieval.vectors import VectorIndex
from chat.retrieval.worker import IngestWorker

POLL_S = 0.25


class Library:
    """Takes files in, has them read in the background, and takes them away. Any thread may call."""

    def __init__(self, files: FileStore, worker: IngestWorker, quota: Quota, vectors: VectorIndex) -> None:
        self.files = files
        self._vectors = vectors
        self._worker = worker
        self._quota = quota

    def add(
        self, collection: Collection, filename: str, content: Iterable[bytes], actor: Actor | None
    ) -> Document:
        """Store a file and have it read; returns at once. The same file again is the same document.

        `actor` None is the operator.
        Raises: NotFound when the collection is not the actor's to fill, InvalidInput for a file that is not read or too
        large and when there is no room for it, Overloaded when the disk is full. Whatever `content` raises goes on.
        """
        check_may_fill(collection, actor)
        name = display_name(filename)
        kind = kind_of(name)
        self._quota.check(collection, num_bytes=0)  # before 50 MB are written; it counts when it is admitted
        stored = self.files.save(content)
        try:
            check_head(name, kind, stored.head)
            document = admit(collection, name, kind, stored, self._quota)
        except BaseException:
            self.files.delete(stored.id)
            raise
        if document.pk != stored.id:
            self.files.replace_missing(stored, document.pk)
        self._worker.wake()
        return document

    def add_again(self, collection: Collection, document: Document, actor: Actor) -> None:
        """Put a document that the actor has in another collection of theirs into this one, too.

        Raises: NotFound when one of the two is not the actor's, InvalidInput when there is no room for it.
        """
        check_may_fill(collection, actor)
        admit_again(collection, document, self._quota)

    def remove(self, collection: Collection, document: Document) -> None:
        """Take a document out of a collection; with its last one it goes for good, also while it is being read."""
        take_out(collection, document)
        remove_if_orphaned(self.files, [document.pk])
        self._vectors.remove_outdated()

    def remove_orphans(self) -> int:
        """Remove the documents that no collection holds any more, and how many: after conversations were deleted."""
        num_removed = remove_orphans(self.files)
        self._vectors.remove_outdated()
        return num_removed

    def wait(
        self, collection_ids: Sequence[UUID], timeout_s: float, is_cancelled: Callable[[], bool]
    ) -> bool:
        """Until all documents of the collections are ready or failed; False when cancelled, or it took too long."""
        pending = Document.objects.pending().filter(collections__in=collection_ids)
        deadline = time.monotonic() + timeout_s
        while pending.exists():
            left_s = deadline - time.monotonic()
            if left_s <= 0 or is_cancelled():
                return False
            self._worker.wake()  # another process may have left them
            self._worker.wait_for_change(min(POLL_S, left_s))
        return True

    def recover(self) -> None:
        """Read what a server that stopped has left, make the vectors that are missing, remove what nobody has.

        Does its work in the background; call it at the start, and when an embedding model was installed.
        """
        remove_abandoned()
        self.remove_orphans()
        remove_strays(self.files)
        self._worker.make_missing_vectors()

    def close(self) -> None:
        """Documents that are not finished stay pending."""
        self._worker.close()
