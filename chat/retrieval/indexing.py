"""One document from its file to passages that are found: `queued -> reading -> indexing -> ready`, or `failed`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from django.db import transaction
from django.db.models import F

from chat.domain.errors import ChatError, Interrupted, InvalidInput
from chat.engine.embedder import Vectors
from chat.models import Chunk, Collection, Document, DocumentStatus
from chat.retrieval.chunker import Span
from chat.retrieval.embedding import Embeddings
from chat.retrieval.extract import Extracted, Extractor
from chat.retrieval.files import FileStore
from chat.retrieval.kinds import KINDS

logger = logging.getLogger(__name__)

# A batch is one transaction: short, so that answers are stored in between, and often enough for a bar that moves.
CHUNKS_PER_BATCH = 64

_BEGUN = {"status": DocumentStatus.READING, "num_chunks": 0, "num_indexed": 0}

IndexWords = Callable[[Sequence[tuple[int, str]]], object]


class Indexer:
    """Takes one document after the other through its steps. One thread calls; other processes may do the same."""

    def __init__(
        self, files: FileStore, extractor: Extractor, embeddings: Embeddings, index_words: IndexWords
    ) -> None:
        self._files = files
        self._extractor = extractor
        self._embeddings = embeddings
        self._index_words = index_words
        self._is_closed = False

    def read(self, document_id: uuid.UUID) -> None:
        """Make a pending document ready or failed. Does nothing when another process is at it, or it was removed."""
        try:
            with self._files.claim(document_id) as file:
                if file:
                    self._read_claimed(document_id, file)
        except FileNotFoundError:
            _fail(document_id, InvalidInput("The file is gone.", hint="Upload it again."))

    def embed_again(self, document_id: uuid.UUID, model: str) -> bool:
        """Make a ready document's vectors with this model; False when they were not made."""
        document = Document.objects.defer("text").filter(pk=document_id, status=DocumentStatus.READY).first()
        if document is None:
            return True
        with transaction.atomic():
            _advance(document, embedder="")
            _count_change(document)
        passages = list(document.chunks.order_by("position").values_list("pk", "text"))
        for start in range(0, len(passages), CHUNKS_PER_BATCH):
            batch = passages[start : start + CHUNKS_PER_BATCH]
            if self._is_closed or (vectors := self._vectors([text for _, text in batch], model)) is None:
                return False
            with transaction.atomic():
                for (pk, _), vector in zip(batch, vectors, strict=True):
                    Chunk.objects.filter(pk=pk).update(vector=as_bytes(vector))
        _finish(document, model)
        return True

    def close(self) -> None:
        """Leave what is begun as it is, pending."""
        self._is_closed = True
        self._extractor.close()

    def _read_claimed(self, document_id: uuid.UUID, file: BinaryIO) -> None:
        document = Document.objects.pending().filter(pk=document_id).first()
        if document is None or not _advance(document, **_BEGUN):
            return
        try:
            self._store(document, self._extractor.extract(file, KINDS[document.media_type]))
        except Interrupted:
            return  # it stays pending, for the next start
        except ChatError as exc:
            _fail(document_id, exc)
        except Exception:  # the border of a document: else it would be read for ever
            logger.exception("a document could not be indexed")
            _fail(document_id, ChatError("Something went wrong.", hint="Upload it again."))

    def _store(self, document: Document, extracted: Extracted) -> None:
        with transaction.atomic():
            document.chunks.all().delete()
            is_there = _advance(
                document,
                status=DocumentStatus.INDEXING,
                text=extracted.text,
                num_pages=extracted.num_pages,
                num_chunks=len(extracted.spans),
                num_indexed=0,
            )
        model = self._embeddings.model_name()
        for start in range(0, len(extracted.spans), CHUNKS_PER_BATCH):
            if not is_there:
                return
            spans = extracted.spans[start : start + CHUNKS_PER_BATCH]
            texts = [extracted.text[span.start : span.end] for span in spans]
            vectors = self._vectors(texts, model) if model else None
            self._check_open()
            model = model if vectors is not None else ""
            is_there = self._store_batch(document, start, spans, texts, vectors)
        if is_there:
            _finish(document, model)

    def _store_batch(
        self,
        document: Document,
        start: int,
        spans: Sequence[Span],
        texts: Sequence[str],
        vectors: Vectors | None,
    ) -> bool:
        """False when the document was removed meanwhile."""
        with transaction.atomic():
            if not _advance(document, num_indexed=start + len(spans)):
                return False
            chunks = Chunk.objects.bulk_create(
                Chunk(
                    document=document,
                    position=start + place,
                    text=text,
                    start=span.start,
                    end=span.end,
                    page=span.page,
                    vector=None if vectors is None else as_bytes(vectors[place]),
                )
                for place, (span, text) in enumerate(zip(spans, texts, strict=True))
            )
            self._index_words([(chunk.pk, chunk.text) for chunk in chunks])
        return True

    def _vectors(self, texts: Sequence[str], model: str) -> Vectors | None:
        """None when the model cannot be used: words are found without it, and the next start tries again."""
        try:
            return self._embeddings.passages(texts, model)
        except ChatError as exc:
            logger.warning("documents are searched by words only: %s %s", exc.message, exc.hint)
            return None

    def _check_open(self) -> None:
        if self._is_closed:
            raise Interrupted("The server stopped while it was indexing a file.")


def as_bytes(vector: Vectors) -> bytes:
    """As `Chunk.vector` holds it."""
    return vector.astype("<f4").tobytes()


def _advance(document: Document, **changes: Any) -> bool:
    """False when the document was removed."""
    return bool(Document.objects.filter(pk=document.pk).update(**changes))


def _finish(document: Document, model: str) -> None:
    with transaction.atomic():
        _advance(document, status=DocumentStatus.READY, embedder=model, error_message="")
        _count_change(document)


def _count_change(document: Document) -> None:
    Collection.objects.filter(documents=document).update(version=F("version") + 1)


def _fail(document_id: uuid.UUID, error: ChatError) -> None:
    with transaction.atomic():
        Chunk.objects.filter(document_id=document_id).delete()
        Document.objects.pending().filter(pk=document_id).update(
            status=DocumentStatus.FAILED,
            text="",
            num_chunks=0,
            num_indexed=0,
            error_message=f"{error.message} {error.hint}".strip(),
        )
