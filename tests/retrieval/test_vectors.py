"""Search by vectors: exact, only in what was asked for, and through any state of the files."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from django.db import connections

from chat.models import Chunk, Collection, Document, DocumentStatus
from chat.retrieval.vectors import STALE_PART_S, VectorIndex
from tests.retrieval.library_rows import chunk_in, collection_of, count_change, document_in, place

pytestmark = pytest.mark.django_db

DIM = 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


@pytest.fixture
def index(folder: Path) -> VectorIndex:
    return VectorIndex(folder)


@pytest.fixture
def question() -> np.ndarray:
    return unit(np.random.default_rng(99).standard_normal(DIM))


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def collection_with(num_vectors: int, *, seed: int = 0, model: str = "m", dim: int = DIM) -> Collection:
    collection = collection_of(embedder=model)
    add_vectors(collection, np.random.default_rng(seed).standard_normal((num_vectors, dim)))
    return collection


def add_vectors(collection: Collection, vectors: np.ndarray) -> None:
    document = Document.objects.get(collections=collection)
    for vector in vectors:
        chunk_in(document, "text", vector=vector)
    count_change(collection)


def nearest_of(collection: Collection, question: np.ndarray, limit: int) -> list[int]:
    """Compared one by one."""
    vectors = Chunk.objects.filter(document__collections=collection).values_list("pk", "vector")
    similarities = {pk: float(unit(np.frombuffer(vector, "<f4")) @ question) for pk, vector in vectors}
    return sorted(similarities, key=lambda pk: -similarities[pk])[:limit]


def ids(found: list[tuple[int, float]]) -> list[int]:
    return [pk for pk, _ in found]


class TestNearest:
    @pytest.mark.parametrize("limit", [1, 7, 40, 100])
    def test_they_are_exactly_the_nearest(self, index: VectorIndex, question: np.ndarray, limit: int) -> None:
        collection = collection_with(40)

        found = index.search([collection.pk], "m", question, limit)

        assert ids(found) == nearest_of(collection, question, limit)
        assert all(-1.001 <= similarity <= 1.001 for _, similarity in found)

    def test_the_very_same_vector_has_similarity_one(self, index: VectorIndex, question: np.ndarray) -> None:
        collection = collection_with(5)
        add_vectors(collection, np.array([question * 3]))

        assert index.search([collection.pk], "m", question, 1)[0][1] == pytest.approx(1.0)

    def test_several_collections_are_one_ranking(self, index: VectorIndex, question: np.ndarray) -> None:
        one, other = collection_with(10), collection_with(10, seed=1)
        place(Document.objects.get(collections=one), other)

        found = index.search([one.pk, other.pk], "m", question, 50)

        assert len(set(ids(found))) == len(found) == 20
        assert [similarity for _, similarity in found] == sorted((s for _, s in found), reverse=True)

    def test_vectors_that_cannot_be_compared_are_left_out(
        self, index: VectorIndex, question: np.ndarray
    ) -> None:
        collection = collection_with(3)
        add_vectors(collection, np.array([np.zeros(DIM), np.full(DIM, np.nan), np.full(DIM, np.inf)]))
        add_vectors(collection, np.ones((2, DIM * 2)))

        assert len(index.search([collection.pk], "m", question, 50)) == 3


class TestWhatIsSearched:
    def test_other_collections_are_not(self, index: VectorIndex, question: np.ndarray) -> None:
        mine, theirs = collection_with(3), collection_with(3, seed=1)

        found = index.search([mine.pk], "m", question, 50)

        assert set(ids(found)).isdisjoint(nearest_of(theirs, question, 50))
        assert index.search([uuid.uuid4()], "m", question, 50) == []

    def test_vectors_of_another_model_are_not(self, index: VectorIndex, question: np.ndarray) -> None:
        collection = collection_with(3)
        document_in(collection, "text", model="other", embedder="other")

        assert len(index.search([collection.pk], "m", question, 50)) == 3
        assert index.search([collection.pk], "none", question, 50) == []

    @pytest.mark.parametrize(
        "status", [status for status in DocumentStatus if status != DocumentStatus.READY]
    )
    def test_documents_that_are_not_ready_are_not(
        self, index: VectorIndex, question: np.ndarray, status: DocumentStatus
    ) -> None:
        collection = collection_with(3)
        Document.objects.update(status=status)

        assert index.search([collection.pk], "m", question, 50) == []

    def test_a_change_of_the_collection_is_seen_at_once(
        self, index: VectorIndex, question: np.ndarray
    ) -> None:
        collection = collection_with(3)
        index.search([collection.pk], "m", question, 50)

        add_vectors(collection, np.ones((1, DIM)))
        assert len(index.search([collection.pk], "m", question, 50)) == 4

        Document.objects.all().delete()
        count_change(collection)
        assert index.search([collection.pk], "m", question, 50) == []


def file_of(folder: Path, collection: Collection) -> Path:
    return folder / f"{collection.pk.hex}-{collection.version}.vectors"


def spoil(how: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(how(path.read_bytes()))


class TestFiles:
    def test_another_process_uses_the_file_that_is_there(
        self, index: VectorIndex, folder: Path, question: np.ndarray
    ) -> None:
        collection = collection_with(3)
        index.search([collection.pk], "m", question, 50)
        Chunk.objects.update(vector=None)  # so that a file made now would be empty

        assert len(VectorIndex(folder).search([collection.pk], "m", question, 50)) == 3

    @pytest.mark.parametrize(
        "damage",
        [
            Path.unlink,
            spoil(lambda content: b""),
            spoil(lambda content: content[:100]),
            spoil(lambda content: content[:-1]),
            spoil(lambda content: content[: -(DIM * 4 + 8)]),
            spoil(lambda content: content + b"more"),
            spoil(lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]),
            spoil(lambda content: b"\x00" * len(content)),
            spoil(lambda content: b"\xff" * len(content)),
        ],
    )
    def test_a_damaged_file_is_made_again(
        self, index: VectorIndex, folder: Path, question: np.ndarray, damage: Callable[[Path], object]
    ) -> None:
        collection = collection_with(40)
        before = index.search([collection.pk], "m", question, 50)
        damage(file_of(folder, collection))

        assert VectorIndex(folder).search([collection.pk], "m", question, 50) == before
        assert VectorIndex(folder).search([collection.pk], "m", question, 50) == before

    def test_files_of_collections_that_are_gone_are_removed(
        self, index: VectorIndex, folder: Path, question: np.ndarray
    ) -> None:
        gone, kept = collection_with(3), collection_with(3)
        index.search([gone.pk], "m", question, 50)
        Path(folder / "killed.part").touch()
        Path(folder / "at-work.part").touch()
        long_ago = time.time() - STALE_PART_S - 60
        os.utime(folder / "killed.part", (long_ago, long_ago))
        gone.delete()

        index.search([kept.pk], "m", question, 50)

        assert {path.name for path in folder.iterdir()} == {file_of(folder, kept).name, "at-work.part"}

    def test_a_folder_that_cannot_be_written_is_told(self, tmp_path: Path, question: np.ndarray) -> None:
        (tmp_path / "file").touch()
        index = VectorIndex(tmp_path / "file")

        with pytest.raises(OSError, match="file"):
            index.search([collection_with(3).pk], "m", question, 50)

    @pytest.mark.django_db(transaction=True)
    def test_many_may_make_the_same_file_at_once(self, folder: Path, question: np.ndarray) -> None:
        """Half of them as another process would."""
        collection = collection_with(30)
        shared = VectorIndex(folder)

        def search(number: int) -> list[tuple[int, float]]:
            try:
                index = shared if number % 2 else VectorIndex(folder)
                return index.search([collection.pk], "m", question, 50)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(search, range(16)))

        assert all(hits == found[0] for hits in found)
        assert ids(found[0]) == nearest_of(collection, question, 50)
        assert [path.name for path in folder.iterdir()] == [file_of(folder, collection).name]
