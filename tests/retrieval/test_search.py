"""The whole search: words and meanings together, passages as people see them, and nothing of others."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from chat.engine.config import EngineConfig
from chat.engine.embedder import EmbedderProcess
from chat.engine.registry import ModelRegistry
from chat.models import Chunk, Document, DocumentStatus, Placement
from chat.retrieval.embedding import Embeddings
from chat.retrieval.floor import Embeds
from chat.retrieval.lexical import WordIndex
from chat.retrieval.members import Members
from chat.retrieval.passages import MAX_JOINED_CHARS
from chat.retrieval.search import Retriever
from chat.retrieval.vectors import VectorIndex
from tests.engine.tiny_gguf import write_tiny_bert
from tests.retrieval.library_rows import (
    MODEL,
    BrokenModel,
    Meanings,
    chunk_in,
    collection_of,
    document_in,
)

pytestmark = pytest.mark.django_db

HARBOUR = (
    "The vessel leaves the pier at noon.",
    "Coal and grain were loaded in the harbour until the strike.",
    "Ice made the river too narrow for boats in the winter of 1903.",
)


@pytest.fixture
def retriever(tmp_path: Path) -> Retriever:
    return retriever_with(Meanings(), tmp_path)


def retriever_with(embeddings: Embeds, folder: Path) -> Retriever:
    return Retriever(WordIndex(Members()), VectorIndex(folder / "vectors"), embeddings)


def overlapping(document: Document, *spans: tuple[int, int]) -> None:
    for start, end in spans:
        chunk_in(document, document.text[start:end], start, page=1)


class TestBothWays:
    def test_words_and_meaning_add_up(self, retriever: Retriever) -> None:
        found = retriever.search([collection_of(*HARBOUR, model=MODEL).pk], "noon ship")

        best = found.hits[0]
        assert (best.text, best.lexical_rank, best.vector_rank) == (HARBOUR[0], 1, 1)
        assert best.score == pytest.approx(2 / 61)
        assert not found.is_lexical

    def test_other_words_are_found_by_meaning_alone(self, retriever: Retriever) -> None:
        (hit,) = retriever.search([collection_of("vessel", "grain", model=MODEL).pk], "ship").hits

        assert (hit.text, hit.lexical_rank, hit.vector_rank) == ("vessel", None, 1)

    def test_a_hit_tells_where_it_stands(self, retriever: Retriever) -> None:
        collection = collection_of(*HARBOUR, title="harbour.md")
        Chunk.objects.update(page=7)

        (hit,) = retriever.search([collection.pk], "grain and coal").hits

        document = Document.objects.get()
        assert (hit.title, hit.document_id, hit.page) == ("harbour.md", str(document.pk), 7)
        assert document.text[hit.start : hit.end] == hit.text == HARBOUR[1]

    @pytest.mark.parametrize(
        "question", ["Hello, how are you?", "Thank you!", "", "🌻?", "sourdough bread recipe"]
    )
    def test_what_the_documents_are_not_about_finds_nothing(
        self, retriever: Retriever, question: str
    ) -> None:
        assert retriever.search([collection_of(*HARBOUR, model=MODEL).pk], question).hits == ()

    def test_at_most_as_many_as_asked_for(self, retriever: Retriever) -> None:
        collection = collection_of(*(f"The boats of pier {n}" for n in range(20)), model=MODEL)

        assert len(retriever.search([collection.pk], "boats of the pier").hits) == 5
        assert len(retriever.search([collection.pk], "boats of the pier", 2).hits) == 2


class TestByWordsOnly:
    def test_without_a_model(self, tmp_path: Path) -> None:
        found = retriever_with(Meanings(model=""), tmp_path).search([collection_of(*HARBOUR).pk], "grain")

        assert found.is_lexical
        assert [hit.vector_rank for hit in found.hits] == [None]

    def test_without_vectors_of_the_model(self, retriever: Retriever) -> None:
        collection = collection_of(*HARBOUR, model=MODEL, embedder="the model before")

        found = retriever.search([collection.pk], "grain")

        assert found.is_lexical
        assert len(found.hits) == 1

    def test_when_the_model_fails(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        collection = collection_of(*HARBOUR, model=MODEL)
        logging.getLogger("chat").addHandler(caplog.handler)

        found = retriever_with(BrokenModel(), tmp_path).search([collection.pk], "grain")

        logging.getLogger("chat").removeHandler(caplog.handler)
        assert found.is_lexical
        assert len(found.hits) == 1
        assert "The embedding model crashed." in caplog.text

    def test_when_vectors_cannot_be_kept(self, tmp_path: Path) -> None:
        (tmp_path / "vectors").touch()

        found = retriever_with(Meanings(), tmp_path).search(
            [collection_of(*HARBOUR, model=MODEL).pk], "grain"
        )

        assert found.is_lexical
        assert len(found.hits) == 1


class TestWhoFindsWhat:
    def test_only_the_given_collections_are_searched(self, retriever: Retriever) -> None:
        mine = collection_of("my vessel sails", model=MODEL)
        theirs = collection_of("their vessel is a secret canary", model=MODEL)

        for question in ("canary", "secret", "their ship", "vessel", str(theirs.pk)):
            assert "secret" not in str(retriever.search([mine.pk], question, 50))
        assert retriever.search([], "vessel").hits == ()

    @pytest.mark.parametrize("rows", ["placements", "status", "documents"])
    def test_what_was_taken_away_is_not_found_even_when_nobody_said_so(
        self, retriever: Retriever, rows: str
    ) -> None:
        """Whatever is kept in memory and files, the tables have the last word."""
        mine = collection_of("a vessel", model=MODEL)
        assert retriever.search([mine.pk], "vessel").hits

        if rows == "placements":
            Placement.objects.all().delete()
        elif rows == "status":
            Document.objects.update(status=DocumentStatus.FAILED)
        else:
            Document.objects.all().delete()

        assert retriever.search([mine.pk], "vessel").hits == ()


class TestPassages:
    def test_a_paragraph_that_was_cut_is_one_passage(self, retriever: Retriever) -> None:
        text = "The lighthouse keeper climbs the stairs. He lights the lamp each evening. Then he sleeps."
        document = document_in(collection := collection_of("other"), text=text)
        overlapping(document, (30, 73), (0, 40))
        Document.objects.filter(pk=document.pk).update(embedder="")

        (hit,) = retriever.search([collection.pk], "Who climbs the stairs and lights the lamp?").hits

        assert hit.text == text[0:73] == text[hit.start : hit.end]
        assert (hit.page, hit.lexical_rank) == (1, 1)

    def test_passages_do_not_grow_for_ever(self, retriever: Retriever) -> None:
        text = "The lamp burns. " * 400
        document = document_in(collection := collection_of("other"), text=text)
        overlapping(document, *((start, start + 800) for start in range(0, 5000, 700)))

        hits = retriever.search([collection.pk], "lamp").hits

        assert max(len(hit.text) for hit in hits) <= MAX_JOINED_CHARS
        assert all(hit.text == text[hit.start : hit.end] for hit in hits)

    def test_the_same_text_in_two_documents_is_shown_once(self, retriever: Retriever) -> None:
        collection = collection_of("The lamp is lit at dusk.", title="first.md")
        document_in(collection, "The lamp is lit at dusk.", "The lamp is green.", title="copy.md")

        texts = [hit.text for hit in retriever.search([collection.pk], "When is the lamp lit?").hits]

        assert sorted(texts) == ["The lamp is green.", "The lamp is lit at dusk."]

    def test_passages_that_only_touch_stay_apart(self, retriever: Retriever) -> None:
        assert len(retriever.search([collection_of("lamp one", "lamp two").pk], "lamp").hits) == 2


def test_a_real_model_is_asked(tmp_path: Path) -> None:
    write_tiny_bert(tmp_path / "tiny.gguf")
    registry = ModelRegistry(
        tmp_path,
        lambda *_: pytest.fail("nobody chats"),
        start_embedder=lambda file: EmbedderProcess(file.path, EngineConfig()),
    )
    embeddings = Embeddings(registry)
    collection = collection_of(*HARBOUR, embedder="tiny")
    for chunk, vector in zip(Chunk.objects.order_by("pk"), embeddings.passages(HARBOUR), strict=True):
        chunk.vector = vector.astype("<f4").tobytes()
        chunk.save()

    found = retriever_with(embeddings, tmp_path).search([collection.pk], HARBOUR[0])
    registry.close()

    assert not found.is_lexical
    assert (found.hits[0].text, found.hits[0].vector_rank) == (HARBOUR[0], 1)


class TestDocumentsAsAWhole:
    def test_their_beginnings_are_found_in_turn(self, retriever: Retriever) -> None:
        collection = collection_of(*HARBOUR)
        document_in(collection, "A second one begins here.")

        found = retriever.search([collection.pk], "Please summarise the attached files", limit=3)

        assert [hit.text for hit in found.hits] == [HARBOUR[0], "A second one begins here.", HARBOUR[1]]
        assert found.hits[0].lexical_rank is None

    def test_not_where_there_are_many(self, retriever: Retriever) -> None:
        collection = collection_of("The first.")
        for number in range(5):
            document_in(collection, f"Number {number}.")

        assert retriever.search([collection.pk], "Give me an overview").hits == ()

    def test_not_when_a_passage_answers(self, retriever: Retriever) -> None:
        collection = collection_of(*HARBOUR)

        found = retriever.search([collection.pk], "In which file was the strike in the harbour?")

        assert HARBOUR[1] in [hit.text for hit in found.hits]
        assert found.hits[0].lexical_rank == 1
