"""Search by words, through rows: what is found, what is not, and for whom."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection

from chat.models import Chunk, Collection, Document, DocumentStatus
from chat.retrieval import lexical
from chat.retrieval.lexical import WordIndex, index_words
from chat.retrieval.members import MAX_SPANS, Members
from tests.retrieval.library_rows import collection_of, count_change, document_in, place

pytestmark = pytest.mark.django_db

MANUAL = (
    "The pump is oiled every 500 hours. Use the oil PX-200 and no other.",
    "If the display shows E17, the filter is clogged: open the cover and rinse it with clear water.",
    "The machine stands on four feet that can be turned until it is level.",
    "How to send it back: the sales office will tell you what you need to do. Thank you for your trust.",
    "Set max_retry_count in config.toml, or call setMaxRetryCount(3).",
)


@pytest.fixture
def words() -> WordIndex:
    return WordIndex(Members())


def texts(words: WordIndex, question: str, *collections: Collection, limit: int = 5) -> list[str]:
    found = words.search([collection.pk for collection in collections], question, limit)
    rows = dict(Chunk.objects.filter(pk__in=[pk for pk, _ in found]).values_list("pk", "text"))
    return [rows[pk] for pk, _ in found]


class TestFinding:
    @pytest.mark.parametrize(
        ("question", "place"),
        [
            ("How often must the pump be oiled?", 0),
            ("OILING PUMPS", 0),
            ("px200", 0),
            ("What does E17 mean?", 1),
            ("My screen says E17 since yesterday evening, what could that be", 1),
            ("clógged filters", 1),
            ("max_retry_count", 4),
            ("maxRetryCount", 4),
            ("retry count", 4),
            ("set-max-retry-count", 4),
        ],
    )
    def test_the_passage_comes_first(self, words: WordIndex, question: str, place: int) -> None:
        assert texts(words, question, collection_of(*MANUAL))[0] == MANUAL[place]

    @pytest.mark.parametrize(
        ("text", "question"),
        [
            ("水をきれいにする方法はフィルターです。", "フィルターはどこですか"),
            ("请每五百小时给水泵加油。", "水泵多久加油"),
            ("请每五百小时给水泵加油。", "泵"),
            ("เครื่องกรองน้ำต้องล้าง", "กรองน้ำ"),
            ("필터를 물로 씻으십시오.", "필터를 씻는 방법"),
            ("फ़िल्टर को पानी से धोएं", "पानी"),
            ("Der Größenschlüssel liegt bei.", "grossenschlussel"),
        ],
    )
    def test_other_scripts_are_found(self, words: WordIndex, text: str, question: str) -> None:
        assert texts(words, question, collection_of(*MANUAL, text))[0] == text

    def test_a_number_tells_like_passages_apart(self, words: WordIndex) -> None:
        manual = collection_of(*(f"Error {code}: see chapter {n}." for n, code in enumerate(range(300, 360))))

        assert texts(words, "error 342", manual)[0].startswith("Error 342:")

    def test_a_single_short_document_is_found(self, words: WordIndex) -> None:
        """Every word that it has is in all chunks there are."""
        assert texts(words, "When does the ferry leave?", collection_of("The ferry leaves at six."))

    def test_more_often_and_in_less_text_is_better(self, words: WordIndex) -> None:
        other = "Nothing of the kind is told here, only some words to fill the room."
        many, once, buried = "valve, valve and valve " + other, "valve " + other, "valve " + other * 3

        assert texts(words, "valve", collection_of(buried, once, many, *MANUAL)) == [many, once, buried]

    def test_a_chunk_that_is_indexed_again_loses_its_old_words(self, words: WordIndex) -> None:
        manual = collection_of("old words here")
        index_words([(Chunk.objects.get().pk, "new words")])

        assert not texts(words, "old", manual)
        assert texts(words, "new", manual)


class TestFindingNothing:
    @pytest.mark.parametrize(
        "question",
        [
            "Hello, how are you?",
            "Hi!",
            "Who are you?",
            "Thank you, that was great",
            "What is the capital of France?",
            "Which opera houses in Italy show Verdi in water-coloured clear settings every summer?",
            "",
            "?!… --",
            "🌻",
        ],
    )
    def test_what_the_manual_does_not_hold_is_not_found(self, words: WordIndex, question: str) -> None:
        assert texts(words, question, collection_of(*MANUAL)) == []

    @pytest.mark.parametrize(
        "question",
        [
            '"',
            "'; DROP TABLE chat_chunk; --",
            "oil AND (pump OR NOT NEAR(oil pump, 2",
            "words : oil ^ + * - {a b} :",
            "oil\x00pump",
            "\ud83d oil \udfff",
            '"oil" "pump',
            "oil*",
            "%s %d %% oil",
        ],
    )
    def test_no_question_breaks_it(self, words: WordIndex, question: str) -> None:
        manual = collection_of(*MANUAL)

        assert texts(words, question, manual) in ([], [MANUAL[0]], [MANUAL[0], MANUAL[1]])

    def test_a_long_paste_is_asked_for_by_its_ends(self, words: WordIndex) -> None:
        paste = "oil pump PX-200 " + "x1 " * 50_000

        assert texts(words, paste, collection_of(*MANUAL))[0] == MANUAL[0]


class TestWhoFindsWhat:
    def test_only_the_given_collections_are_searched(self, words: WordIndex) -> None:
        mine, theirs = collection_of("my canary sings"), collection_of("their canary is secret")

        assert texts(words, "canary", mine) == ["my canary sings"]
        assert len(texts(words, "canary", mine, theirs)) == 2
        assert words.search([uuid.uuid4()], "canary", 5) == []
        assert words.search([], "canary", 5) == []

    def test_documents_of_others_do_not_change_scores(self, words: WordIndex) -> None:
        """Else the order of my hits would tell how often a word stands in documents that are not mine."""
        mine = collection_of(*MANUAL)
        before = words.search([mine.pk], "oil the clogged pump filter", 5)
        collection_of(*["The pump, the pump, and an oil filter." + " words" * 8] * 50)

        after = words.search([mine.pk], "oil the clogged pump filter", 5)

        assert [pk for pk, _ in after] == [pk for pk, _ in before]

    @pytest.mark.parametrize(
        "status", [status for status in DocumentStatus if status != DocumentStatus.READY]
    )
    def test_only_ready_documents_are_searched(self, words: WordIndex, status: DocumentStatus) -> None:
        assert texts(words, "canary", collection_of("a canary", status=status)) == []

    def test_a_document_that_was_added_is_found_at_once(self, words: WordIndex) -> None:
        mine = collection_of("a canary")
        texts(words, "canary", mine)
        document_in(mine, "another canary")

        assert len(texts(words, "canary", mine)) == 2

    def test_what_is_deleted_leaves_no_words(self, words: WordIndex) -> None:
        mine = collection_of("a canary")
        Document.objects.all().delete()
        count_change(mine)

        assert texts(words, "canary", mine) == []
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM chat_chunk_words")
            assert cursor.fetchone() == (0,)

    def test_documents_scattered_between_those_of_others_are_all_that_is_found(
        self, words: WordIndex
    ) -> None:
        mine, theirs = collection_of("canary 0"), collection_of("their canary 0")
        for n in range(1, 2 * MAX_SPANS):
            document_in(mine, f"canary {n}")
            document_in(theirs, f"their canary {n}")

        found = texts(words, "canary", mine, limit=100)

        assert sorted(found) == sorted(f"canary {n}" for n in range(2 * MAX_SPANS))

    def test_a_document_in_two_collections_is_found_once(self, words: WordIndex) -> None:
        mine, other = collection_of("a canary"), collection_of("something else")
        place(Document.objects.earliest("created_at"), other)

        assert texts(words, "canary", mine, other) == ["a canary"]


def test_words_beyond_the_bound_still_weigh_in(words: WordIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"The common pump number {n}." for n in range(30)]
    manual = collection_of(*many[:15], "The common rare pump.", "The rare one.", *many[15:])
    unbounded = words.search([manual.pk], "rare common pump", 50)

    monkeypatch.setattr(lexical, "MAX_ROWS", 10)
    bounded = words.search([manual.pk], "rare common pump", 50)

    assert dict(bounded) == pytest.approx(dict(unbounded[: len(bounded)]))
    assert texts(words, "rare common pump", manual) == ["The common rare pump.", "The rare one."]
