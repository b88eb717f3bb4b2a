"""What becomes of a text before SQLite's tokenizer sees it, and of a question before it is asked."""

from __future__ import annotations

import pytest

from chat.retrieval.words import MAX_TERMS, has_content, question_terms, spelled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Plain words, as they are.", "plain words as they are"),
        ("fooBarBaz", "foobarbaz foo bar baz"),
        ("foo_bar and foo-bar", "foo bar foobar and foo bar foobar"),
        ("HTTPServer2", "httpserver2 http server2"),
        ("PARLEY_MAX_QUEUE=200", "parley max queue parleymaxqueue 200"),
        ("tests/web/test_keys.py", "tests web test keys py testkeys"),
        ("3.14 or 3,14", "3 14 3d14 or 3 14 3d14"),
        ("16,000 and 16000", "16 000 16000 and 16000"),
        ("127.0.0.1", "127 0 0 1 127d0d0d1"),
        ("日本語", "日本 本語 語"),
        ("PDF文書です。", "pdf 文書 書で です す"),
        ("ｶﾀｶﾅ １２", "カタ タカ カナ ナ 12"),
        ("กินข้าว", "กน นข ขา าว ว"),
        ("서울에서", "서울 울에 에서 서"),
        ("हिन्दी", "हनद"),
        ("Straße", "strasse"),
        ("a\x00b \ud83d 🌻 --", "a b"),
        ("", ""),
    ],
)
def test_words_are_spelled_for_the_tokenizer(text: str, words: str) -> None:
    assert spelled(text) == words


def test_a_long_word_is_known_by_its_beginning() -> None:
    assert spelled("ab" * 500) == "ab" * 32


def test_stop_words_are_not_asked_for() -> None:
    assert question_terms("How do I move the queue?") == ['"move"', '"queue"']


def test_of_stop_words_alone_a_phrase_is_made() -> None:
    assert question_terms("To be, or not to be?") == ['"to be or not to be"']


def test_no_words_are_no_terms() -> None:
    assert question_terms('?!… "" * 🌻') == []


def test_a_single_character_of_a_script_without_spaces_begins_pairs() -> None:
    assert question_terms("水") == ['"水"*']
    assert question_terms("日本語") == ['"日本"', '"本語"']


def test_grammar_in_hiragana_is_not_asked_for() -> None:
    assert question_terms("水はどこですか") == ['"水は"']
    assert question_terms("さくら") == ['"さく くら"']


def test_of_a_long_question_the_beginning_and_the_end_are_asked_for() -> None:
    terms = question_terms(" ".join(["alpha", *(f"word{n}" for n in range(20_000)), "omega"]))

    assert len(terms) == MAX_TERMS
    assert (terms[0], terms[-1]) == ('"alpha"', '"omega"')


@pytest.mark.parametrize(
    "text", ["Hello, how are you?", "Thanks!", "Can you help me, please?", "", "?!", "🌻"]
)
def test_small_talk_has_no_content(text: str) -> None:
    assert not has_content(text)
    assert has_content(f"{text} lighthouse")
