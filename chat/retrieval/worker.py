"""The thread that reads documents, one after the other: the rows are its queue, so that a crash loses nothing."""

from __future__ import annotations

import logging
import threading
import uuid

from django.db import DatabaseError, connections

from chat.models import Document, DocumentStatus
from chat.retrieval.embedding import Embeddings
from chat.retrieval.indexing import Indexer

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0


class IngestWorker:
    """Begins with the first `wake`. Any thread may call."""

    def __init__(self, indexer: Indexer, embeddings: Embeddings) -> None:
        self._indexer = indexer
        self._embeddings = embeddings
        self._news = threading.Condition()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._has_news = False
        self._wants_vectors = False
        self._is_closed = False

    def wake(self) -> None:
        """There may be pending documents."""
        with self._news:
            if self._is_closed:
                return
            self._has_news = True
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def make_missing_vectors(self) -> None:
        """There may be documents without vectors of the model that is installed now."""
        with self._news:
            self._wants_vectors = True
        self.wake()

    def wait_for_change(self, timeout_s: float) -> None:
        """Until a document was read, or this long."""
        with self._change:
            self._change.wait(timeout_s)

    def close(self) -> None:
        """Ends the child at once; the document that it read stays pending."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()
        self._indexer.close()
        if self._thread:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while self._wait_for_news():
            try:
                self._read_all()
            except DatabaseError:
                # A full disk, for instance: the rows stay pending, and the next news tries again.
                logger.exception("documents cannot be read now")
            finally:
                connections.close_all()

    def _wait_for_news(self) -> bool:
        with self._news:
            self._news.wait_for(lambda: self._has_news or self._is_closed)
            self._has_news = False
            return not self._is_closed

    def _read_all(self) -> None:
        with self._news:
            wants_vectors, self._wants_vectors = self._wants_vectors, False
        turns = _Turns()
        while not self._is_closed:
            if document_id := turns.next():
                self._indexer.read(document_id)
                with self._change:
                    self._change.notify_all()
            elif not (wants_vectors and self._make_next_vectors()):
                return

    def _make_next_vectors(self) -> bool:
        """False when there is nothing to do, or the model cannot be used."""
        if not (model := self._embeddings.model_name()):
            return False
        outdated = Document.objects.filter(status=DocumentStatus.READY).exclude(embedder=model)
        document_id = outdated.values_list("pk", flat=True).first()
        return document_id is not None and self._indexer.embed_again(document_id, model)


class _Turns:
    """Which pending document comes next: that of the collection that has waited longest, so that one person with many
    files keeps nobody else waiting. Each comes once.
    """

    def __init__(self) -> None:
        self._last_turns: dict[uuid.UUID | None, int] = {}
        self._tried: set[uuid.UUID] = set()

    def next(self) -> uuid.UUID | None:
        """None when all have had their turn."""
        waiting = Document.objects.pending().order_by("created_at").values_list("pk", "collections")
        rows = [(pk, collection) for pk, collection in waiting if pk not in self._tried]
        if not rows:
            return None
        pk: uuid.UUID
        pk, collection = min(rows, key=lambda row: self._last_turns.get(row[1], 0))
        self._tried.add(pk)
        self._last_turns[collection] = len(self._tried)
        return pk
