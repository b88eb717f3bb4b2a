"""Files come into the library: read in the background, stored once, bounded, for their owner alone."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from chat.domain.errors import ChatError, InvalidInput, NotFound, Overloaded
from chat.models import Actor, Collection, Document, DocumentStatus, Placement, User
from chat.runtime import Runtime, close_runtime, get_runtime
from tests.retrieval.file_makers import encrypted, pdf_of
from tests.retrieval.shelf import add, draft_of, num_word_rows, read, stored_files

PROSE = "The lighthouse of Alexandria was built of limestone. " * 60


@pytest.fixture
def shelf(alice: User) -> Collection:
    return draft_of(alice)


@pytest.fixture
def handbook(transactional_db: None) -> Collection:
    return Collection.objects.create(name="Handbook")


def limited(settings: Any, **limits: int) -> Runtime:
    """The runtime with other settings."""
    for name, value in limits.items():
        setattr(settings, name, value)
    close_runtime()
    return get_runtime()


class TestAdding:
    def test_a_file_becomes_passages_that_are_found(self, runtime: Runtime, shelf: Collection) -> None:
        document = read(runtime.library, shelf, "light.md", PROSE)

        chunks = list(document.chunks.order_by("position"))
        assert document.status == DocumentStatus.READY
        assert document.num_chunks == document.num_indexed == len(chunks) == num_word_rows() > 1
        assert all(chunk.text == document.text[chunk.start : chunk.end] for chunk in chunks)
        assert runtime.retriever.search([shelf.pk], "limestone lighthouse", 1).hits[0].chunk_id in {
            chunk.pk for chunk in chunks
        }

    def test_it_returns_before_the_file_is_read(self, runtime: Runtime, shelf: Collection) -> None:
        document = add(runtime.library, shelf, "light.md", PROSE)

        assert document.status == DocumentStatus.QUEUED
        assert runtime.library.wait([shelf.pk], 60.0, lambda: False)
        document.refresh_from_db()
        assert document.status == DocumentStatus.READY

    def test_passages_of_a_pdf_have_pages_and_the_collection_a_new_version(
        self, runtime: Runtime, shelf: Collection
    ) -> None:
        document = read(runtime.library, shelf, "two.pdf", pdf_of("One page", "Two pages"))

        shelf.refresh_from_db()
        assert (document.num_pages, shelf.version) == (2, 1)
        assert list(document.chunks.values_list("page", flat=True)) == [1, 2]

    def test_one_that_cannot_be_read_says_why_and_leaves_no_passages(
        self, runtime: Runtime, shelf: Collection
    ) -> None:
        document = read(runtime.library, shelf, "locked.pdf", encrypted(pdf_of("Secret"), "sesame"))

        assert (document.status, document.num_chunks, num_word_rows()) == (DocumentStatus.FAILED, 0, 0)
        assert document.error_message == (
            "This PDF is protected by a password. Save it without one and upload it again."
        )

    @pytest.mark.parametrize(
        "name", ["../../x.txt", "..\\..\\x.txt", "C:x.txt", "x\x00.txt", "y" * 4096 + ".txt", "\u202ex.txt"]
    )
    def test_a_name_is_only_shown(self, runtime: Runtime, shelf: Collection, name: str) -> None:
        document = add(runtime.library, shelf, name, "text")

        (path,) = stored_files()
        assert path == runtime.library.files.path_of(document)
        assert path.name == document.pk.hex
        assert len(document.filename) <= 255
        assert not set(document.filename) & set("/\\\x00\u202e")


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [("x.exe", "MZ", "cannot read"), ("x.pdf", "PK\x03\x04", "a zip archive"), ("x.txt", "", "empty")],
    )
    def test_a_wrong_file_leaves_nothing(
        self, runtime: Runtime, shelf: Collection, name: str, content: str, words: str
    ) -> None:
        with pytest.raises(InvalidInput, match=words):
            add(runtime.library, shelf, name, content)

        assert (stored_files(), Document.objects.count()) == ([], 0)

    def test_an_upload_that_breaks_off_leaves_nothing(self, runtime: Runtime, shelf: Collection) -> None:
        def broken() -> Iterator[bytes]:
            yield b"half of the"
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            runtime.library.add(shelf, "x.txt", broken(), None)

        assert (stored_files(), Document.objects.count()) == ([], 0)

    def test_a_file_that_is_too_large_is_refused(
        self, runtime: Runtime, settings: Any, shelf: Collection
    ) -> None:
        library = limited(settings, PARLEY_UPLOAD_MAX_MB=1).library

        with pytest.raises(InvalidInput, match="larger than 1 MB"):
            library.add(shelf, "x.txt", iter([b"x" * 2**19] * 3), None)

        assert stored_files() == []

    def test_a_full_disk_is_told(
        self, runtime: Runtime, shelf: Collection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * 2**20))

        with pytest.raises(Overloaded, match="disk is full"):
            add(runtime.library, shelf, "x.txt", "text")

        assert stored_files() == []


class TestSameFile:
    def test_twice_in_a_collection_is_one_document(self, runtime: Runtime, shelf: Collection) -> None:
        first = read(runtime.library, shelf, "a.txt", PROSE)
        again = add(runtime.library, shelf, "b.txt", PROSE)

        assert (again.pk, again.filename, again.status) == (first.pk, "a.txt", DocumentStatus.READY)
        assert len(stored_files()) == shelf.documents.count() == 1

    def test_in_another_chat_of_the_same_person_it_is_placed_and_not_stored(
        self, runtime: Runtime, alice: User, shelf: Collection
    ) -> None:
        other = draft_of(alice)
        first = read(runtime.library, shelf, "a.txt", PROSE)

        again = add(runtime.library, other, "a.txt", PROSE)

        other.refresh_from_db()
        assert (again.pk, other.version, len(stored_files())) == (first.pk, 1, 1)
        assert runtime.retriever.search([other.pk], "limestone", 1).hits

    def test_of_another_person_it_is_another_document(
        self, runtime: Runtime, bob: User, shelf: Collection, handbook: Collection
    ) -> None:
        mine = add(runtime.library, shelf, "a.txt", PROSE)
        bobs = add(runtime.library, draft_of(bob), "a.txt", PROSE)
        servers = add(runtime.library, handbook, "a.txt", PROSE)

        assert len({mine.pk, bobs.pk, servers.pk}) == len(stored_files()) == 3

    def test_the_servers_collections_share_it(self, runtime: Runtime, handbook: Collection) -> None:
        first = add(runtime.library, handbook, "a.txt", PROSE)
        again = add(runtime.library, Collection.objects.create(name="Other"), "a.txt", PROSE)

        assert first.pk == again.pk

    def test_read_as_another_kind_it_is_another_document(self, runtime: Runtime, shelf: Collection) -> None:
        as_text = add(runtime.library, shelf, "a.txt", "a,b\n1,2\n")
        as_table = add(runtime.library, shelf, "a.csv", "a,b\n1,2\n")

        assert as_text.pk != as_table.pk

    def test_one_that_failed_is_tried_anew(self, runtime: Runtime, shelf: Collection) -> None:
        content = pdf_of("Good after all")
        failed = read(runtime.library, shelf, "a.pdf", content)
        Document.objects.filter(pk=failed.pk).update(status=DocumentStatus.FAILED, error_message="Bad luck.")

        again = read(runtime.library, shelf, "b.pdf", content)

        assert (again.pk, again.status, again.filename) == (failed.pk, DocumentStatus.READY, "b.pdf")
        assert again.error_message == ""
        assert again.chunks.count() == num_word_rows() == 1


class TestBounds:
    def test_a_person_may_keep_so_much(self, runtime: Runtime, settings: Any, alice: User) -> None:
        library = limited(settings, PARLEY_UPLOAD_QUOTA_MB=1).library
        add(library, draft_of(alice), "a.txt", b"a" * 700_000)

        with pytest.raises(InvalidInput, match="documents of 1 MB together"):
            add(library, draft_of(alice), "b.txt", b"b" * 700_000)

        assert len(stored_files()) == 1

    def test_many_uploads_at_once_keep_to_it(self, runtime: Runtime, settings: Any, alice: User) -> None:
        library = limited(settings, PARLEY_UPLOAD_QUOTA_MB=1).library
        shelves = [draft_of(alice) for _ in range(6)]
        refused: list[ChatError] = []

        def upload(number: int) -> None:
            try:
                add(library, shelves[number], "x.txt", bytes([97 + number]) * 400_000)
            except InvalidInput as exc:
                refused.append(exc)

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (len(refused), Document.objects.count(), len(stored_files())) == (4, 2, 2)

    def test_a_chat_has_at_most_200_documents(self, runtime: Runtime, shelf: Collection) -> None:
        documents = Document.objects.bulk_create(
            Document(filename="x.txt", sha256=f"{number}", num_bytes=1, status=DocumentStatus.READY)
            for number in range(200)
        )
        Placement.objects.bulk_create(
            Placement(collection=shelf, document=document) for document in documents
        )

        with pytest.raises(InvalidInput, match="at most 200 documents"):
            add(runtime.library, shelf, "x.txt", "one more")

    def test_the_servers_collections_have_no_bounds(
        self, runtime: Runtime, settings: Any, handbook: Collection
    ) -> None:
        library = limited(settings, PARLEY_UPLOAD_QUOTA_MB=1).library

        add(library, handbook, "a.txt", b"a" * 900_000)
        add(library, handbook, "b.txt", b"b" * 900_000)

        assert handbook.documents.count() == 2


class TestOutsiders:
    def test_nobody_fills_the_collection_of_another(
        self, runtime: Runtime, charlie: User, shelf: Collection
    ) -> None:
        for actor in (Actor(user=charlie), Actor(guest_key=uuid.uuid4()), Actor()):
            with pytest.raises(NotFound):
                runtime.library.add(shelf, "x.txt", [b"text"], actor)

        assert (stored_files(), Document.objects.count()) == ([], 0)

    def test_only_staff_fill_the_servers_collections(
        self, runtime: Runtime, charlie: User, handbook: Collection
    ) -> None:
        with pytest.raises(NotFound):
            runtime.library.add(handbook, "x.txt", [b"text"], Actor(user=charlie))

        User.objects.filter(pk=charlie.pk).update(is_staff=True)
        charlie.refresh_from_db()
        assert runtime.library.add(handbook, "x.txt", [b"text"], Actor(user=charlie))

    def test_staff_do_not_reach_into_chats(self, runtime: Runtime, charlie: User, shelf: Collection) -> None:
        charlie.is_staff = True

        with pytest.raises(NotFound):
            runtime.library.add(shelf, "x.txt", [b"text"], Actor(user=charlie))

    def test_a_document_is_read_by_its_owner_alone(
        self, runtime: Runtime, alice: User, charlie: User, shelf: Collection
    ) -> None:
        add(runtime.library, shelf, "x.txt", "text")

        assert Document.objects.readable_by(Actor(user=alice)).count() == 1
        assert not Document.objects.readable_by(Actor(user=charlie)).exists()

    def test_a_collection_that_was_deleted_meanwhile_takes_nothing(
        self, runtime: Runtime, shelf: Collection
    ) -> None:
        def content() -> Iterator[bytes]:
            yield b"text"
            Collection.objects.all().delete()

        with pytest.raises(NotFound):
            runtime.library.add(shelf, "x.txt", content(), None)

        assert (stored_files(), Document.objects.count()) == ([], 0)
