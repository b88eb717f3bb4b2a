"""Documents go without a trace, and a server that stopped in the middle of one goes on with it."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from chat.models import Chunk, Collection, Conversation, Document, DocumentStatus, User
from chat.retrieval.admission import Quota
from chat.retrieval.embedding import Embeddings
from chat.retrieval.extract import Extractor
from chat.retrieval.files import FileStore
from chat.retrieval.indexing import Indexer
from chat.retrieval.ingest import Library
from chat.retrieval.lexical import index_words
from chat.retrieval.vectors import VectorIndex
from chat.retrieval.worker import IngestWorker
from chat.runtime import Runtime, close_runtime, get_runtime
from tests.conftest import wait_until
from tests.engine.tiny_gguf import BERT_WIDTH, write_tiny_bert
from tests.retrieval.shelf import add, draft_of, num_word_rows, read, stored_files, until_read

PROSE = "The lighthouse of Alexandria was built of limestone. " * 150


@pytest.fixture
def shelf(alice: User) -> Collection:
    return draft_of(alice)


def nothing_is_left() -> bool:
    return (stored_files(), Document.objects.count(), Chunk.objects.count(), num_word_rows()) == ([], 0, 0, 0)


class TestRemoval:
    def test_leaves_nothing_of_a_document(self, runtime: Runtime, shelf: Collection) -> None:
        document = read(runtime.library, shelf, "a.txt", PROSE)
        shelf.refresh_from_db()

        runtime.library.remove(shelf, document)

        assert nothing_is_left()
        assert Collection.objects.get(pk=shelf.pk).version == shelf.version + 1
        assert not runtime.retriever.search([shelf.pk], "limestone", 5).hits

    def test_leaves_it_in_other_collections(self, runtime: Runtime, alice: User, shelf: Collection) -> None:
        document = read(runtime.library, shelf, "a.txt", PROSE)
        add(runtime.library, other := draft_of(alice), "a.txt", PROSE)

        runtime.library.remove(shelf, document)

        assert not runtime.retriever.search([shelf.pk], "limestone", 5).hits
        assert runtime.retriever.search([other.pk], "limestone", 5).hits
        assert len(stored_files()) == 1

    def test_a_conversation_that_is_gone_takes_its_documents_along(
        self, runtime: Runtime, alice: User, shelf: Collection
    ) -> None:
        shelf.conversation = Conversation.objects.create(owner=alice, updated_at=timezone.now())
        shelf.save()
        read(runtime.library, shelf, "a.txt", PROSE)
        kept = read(runtime.library, draft_of(alice), "b.txt", "Another text.")

        shelf.conversation.delete()

        assert runtime.library.remove_orphans() == 1
        assert Document.objects.get() == kept
        assert stored_files() == [runtime.library.files.path_of(kept)]
        assert num_word_rows() == 1

    def test_while_it_is_read_is_fine(self, runtime: Runtime, shelf: Collection) -> None:
        files = runtime.library.files
        library: Library

        class RemovedMeanwhile(Embeddings):
            def model_name(self) -> str:
                if document := Document.objects.filter(status=DocumentStatus.INDEXING).first():
                    library.remove(shelf, document)
                return ""

        library = library_of(files, RemovedMeanwhile(runtime.registry))
        add(library, shelf, "a.txt", PROSE)

        assert library.wait([shelf.pk], 60.0, lambda: False)
        library.close()
        assert nothing_is_left()


class TestStart:
    def test_removes_what_nobody_has_and_keeps_the_rest(
        self, runtime: Runtime, alice: User, shelf: Collection
    ) -> None:
        read(runtime.library, shelf, "a.txt", "Of a chat that never began.")
        kept = read(runtime.library, draft_of(alice), "b.txt", "Of one that may begin.")
        Collection.objects.filter(pk=shelf.pk).update(created_at=timezone.now() - timedelta(days=8))
        folder = runtime.library.files.path_of(kept).parent
        old, new, foreign = folder / uuid.uuid4().hex, folder / uuid.uuid4().hex, folder / "notes"
        for path in (old, new, foreign):
            path.write_bytes(b"x")
        for path in (old, foreign, runtime.library.files.path_of(kept)):
            os.utime(path, (time.time() - 4000,) * 2)

        runtime.library.recover()

        assert set(stored_files()) == {new, foreign, runtime.library.files.path_of(kept)}
        assert Document.objects.get() == kept

    @pytest.mark.parametrize(
        "status", [DocumentStatus.QUEUED, DocumentStatus.READING, DocumentStatus.INDEXING]
    )
    def test_goes_on_with_what_a_killed_server_has_left(
        self, runtime: Runtime, shelf: Collection, status: DocumentStatus
    ) -> None:
        document = read(runtime.library, shelf, "a.txt", PROSE)
        num_chunks = document.num_chunks
        half = Chunk.objects.filter(position__gte=num_chunks // 2)
        half.delete()
        Document.objects.filter(pk=document.pk).update(status=status, num_indexed=num_chunks // 2)
        close_runtime()

        get_runtime().library.recover()

        assert until_read(get_runtime().library, document).status == DocumentStatus.READY
        assert list(document.chunks.order_by("position").values_list("position", flat=True)) == list(
            range(num_chunks)
        )
        assert num_word_rows() == num_chunks

    def test_a_document_whose_file_is_lost_says_so(self, runtime: Runtime, shelf: Collection) -> None:
        document = read(runtime.library, shelf, "a.txt", PROSE)
        runtime.library.files.delete(document.pk)
        Document.objects.filter(pk=document.pk).update(status=DocumentStatus.QUEUED)

        runtime.library.recover()

        assert until_read(runtime.library, document).error_message == "The file is gone. Upload it again."
        again = read(runtime.library, shelf, "a.txt", PROSE)
        assert (again.pk, again.status) == (document.pk, DocumentStatus.READY)


class TestWorker:
    def test_a_document_that_another_process_reads_is_left_to_it(
        self, runtime: Runtime, shelf: Collection
    ) -> None:
        document = read(runtime.library, shelf, "a.txt", PROSE)
        Document.objects.filter(pk=document.pk).update(status=DocumentStatus.READING)
        with runtime.library.files.path_of(document).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert not runtime.library.wait([shelf.pk], 1.0, lambda: False)
            assert Document.objects.get().status == DocumentStatus.READING

        assert runtime.library.wait([shelf.pk], 60.0, lambda: False)
        assert Document.objects.get().status == DocumentStatus.READY

    def test_waiting_can_be_cancelled(self, runtime: Runtime, shelf: Collection) -> None:
        add(runtime.library, shelf, "a.txt", PROSE)

        assert not runtime.library.wait([shelf.pk], 60.0, lambda: True)

    def test_a_person_with_many_files_keeps_nobody_waiting(
        self, runtime: Runtime, bob: User, shelf: Collection
    ) -> None:
        read_in_order: list[str] = []
        library = library_of(
            runtime.library.files,
            Embeddings(runtime.registry),
            on_words=lambda chunks: read_in_order.extend(text for _, text in chunks),
        )
        wake, library._worker.wake = library._worker.wake, lambda: None  # type: ignore[method-assign]
        for number in range(3):
            add(library, shelf, f"{number}.txt", f"alice {number}")
        bobs = add(library, draft_of(bob), "b.txt", "bob")

        wake()

        until_read(library, bobs)
        wait_until(lambda: not Document.objects.pending().exists(), timeout_s=60.0)
        library.close()
        assert read_in_order == ["alice 0", "bob", "alice 1", "alice 2"]

    def test_closing_leaves_a_document_pending(self, runtime: Runtime, shelf: Collection) -> None:
        library: Library

        class ClosedMeanwhile(Embeddings):
            def model_name(self) -> str:
                library._worker._indexer.close()
                return ""

        library = library_of(runtime.library.files, ClosedMeanwhile(runtime.registry))
        document = add(library, shelf, "a.txt", PROSE)
        wait_until(lambda: library._worker._indexer._is_closed, timeout_s=60.0)
        library.close()

        document.refresh_from_db()
        assert (document.is_pending, document.error_message) == (True, "")

    def test_an_error_of_our_own_ends_as_failed(self, runtime: Runtime, shelf: Collection) -> None:
        def broken(_chunks: object) -> None:
            raise ZeroDivisionError

        library = library_of(runtime.library.files, Embeddings(runtime.registry), on_words=broken)
        document = read(library, shelf, "a.txt", PROSE)
        library.close()

        assert (document.status, document.chunks.count()) == (DocumentStatus.FAILED, 0)
        assert "Something went wrong" in document.error_message


class TestVectors:
    @pytest.fixture
    def models(self, settings: Any, tmp_path: Path) -> Path:
        """A models folder of the test's own, empty at first."""
        folder = tmp_path / "own-models"
        folder.mkdir()
        settings.PARLEY_MODELS_DIR = folder
        close_runtime()
        return folder

    def test_are_made_where_a_model_is_installed(
        self, runtime: Runtime, models: Path, shelf: Collection
    ) -> None:
        write_tiny_bert(models / "tiny-bert.gguf")

        document = read(get_runtime().library, shelf, "a.txt", PROSE)

        assert (document.status, document.embedder) == (DocumentStatus.READY, "tiny-bert")
        assert {len(vector) for vector in document.chunks.values_list("vector", flat=True)} == {
            4 * BERT_WIDTH
        }

    def test_are_made_later_when_one_is_installed(
        self, runtime: Runtime, models: Path, shelf: Collection
    ) -> None:
        library = get_runtime().library
        document = read(library, shelf, "a.txt", PROSE)
        assert (document.embedder, document.chunks.filter(vector=None).count()) == ("", document.num_chunks)

        write_tiny_bert(models / "tiny-bert.gguf")
        library.recover()

        wait_until(lambda: Document.objects.get().embedder == "tiny-bert", timeout_s=60.0)
        assert not document.chunks.filter(vector=None).exists()
        shelf.refresh_from_db()
        assert shelf.version == 3

    def test_leave_the_disk_with_their_document(
        self, runtime: Runtime, models: Path, shelf: Collection
    ) -> None:
        write_tiny_bert(models / "tiny-bert.gguf")
        runtime = get_runtime()
        document = read(runtime.library, shelf, "a.txt", PROSE)
        assert not runtime.retriever.search([shelf.pk], "limestone").is_lexical
        folder = runtime.conf.data_dir / "vectors"
        assert len(list(folder.iterdir())) == 1

        runtime.library.remove(shelf, document)

        assert list(folder.iterdir()) == []

    def test_of_a_broken_model_are_not_waited_for(
        self, runtime: Runtime, models: Path, shelf: Collection
    ) -> None:
        path = write_tiny_bert(models / "tiny-bert.gguf")
        path.write_bytes(path.read_bytes()[:-20_000])

        document = read(get_runtime().library, shelf, "a.txt", PROSE)

        assert (document.status, document.embedder) == (DocumentStatus.READY, "")


def library_of(
    files: FileStore,
    embeddings: Embeddings,
    on_words: Callable[[Sequence[tuple[int, str]]], object] = index_words,
) -> Library:
    """A library whose parts are watched."""
    indexer = Indexer(files, Extractor(), embeddings, on_words)
    return Library(
        files, IngestWorker(indexer, embeddings), Quota(2**30), VectorIndex(Path(settings.PARLEY_DATA_DIR))
    )
