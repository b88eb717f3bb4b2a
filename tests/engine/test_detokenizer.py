"""Streaming text: every split of the bytes into tokens reads the same."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.engine.detokenizer import Detokenizer

TEXTS = {
    "emoji": "I 🧡 it 😀😀",
    "family joined by ZWJ": "a 👩‍👩‍👧‍👦 family",
    "flags": "🇫🇷🇯🇵 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "CJK": "日本語と中文和한국어",
    "combining marks": "Ze\u0301ro a\u0308\u0323 กี่",
    "right to left": "שלום مرحبا",
}


class Reply:
    """A detokenizer over tokens that are numbered in the order of their coming."""

    def __init__(self, tokens: Sequence[bytes], stop: Sequence[str] = ()) -> None:
        self.detokenizer = Detokenizer(tokens.__getitem__, stop)
        self.deltas = [self.detokenizer.push(number) for number in range(len(tokens))]
        self.rest = self.detokenizer.flush()

    @property
    def text(self) -> str:
        return "".join(self.deltas) + self.rest


def split_at(content: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if place <= len(content)), len(content)]
    return [content[start:end] for start, end in itertools.pairwise(edges)]


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """The slow reference: look for a stop string after every character."""
    for end in range(1, len(text) + 1):
        lengths = [len(word) for word in stop if text[:end].endswith(word)]
        if lengths:
            return text[: end - max(lengths)]
    return text


@pytest.mark.parametrize("name", TEXTS)
def test_every_split_into_two_tokens_reads_the_same(name: str) -> None:
    content = TEXTS[name].encode()

    for place in range(len(content) + 1):
        assert Reply([content[:place], content[place:]]).text == TEXTS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_byte_by_byte_no_half_character_is_seen(name: str) -> None:
    reply = Reply([bytes([byte]) for byte in TEXTS[name].encode()])

    assert "".join(reply.deltas) == TEXTS[name]
    assert not any("\ufffd" in delta for delta in reply.deltas)


@given(text=st.text(), places=st.lists(st.integers(0, 200)))
def test_any_split_reads_the_same(text: str, places: list[int]) -> None:
    assert Reply(split_at(text.encode(), places)).text == text


@given(content=st.binary(), places=st.lists(st.integers(0, 200)))
def test_any_bytes_read_as_if_decoded_at_once(content: bytes, places: list[int]) -> None:
    assert Reply(split_at(content, places)).text == content.decode(errors="replace")


@given(
    text=st.text("ab🧡\n"),
    stop=st.lists(st.text("ab🧡\n", min_size=1, max_size=4), max_size=4),
    places=st.lists(st.integers(0, 60)),
)
def test_any_split_stops_at_the_same_place(text: str, stop: list[str], places: list[int]) -> None:
    reply = Reply(split_at(text.encode(), places), stop)

    assert reply.text == cut_at_stop(text, stop)
    assert reply.detokenizer.is_stopped == any(word in text for word in stop)


@given(text=st.text("ab🧡"), stop=st.lists(st.text("ab🧡", min_size=1, max_size=4), max_size=3))
def test_no_delta_is_ever_taken_back(text: str, stop: list[str]) -> None:
    """What was shown so far is always a beginning of what is shown in the end."""
    reply = Reply([character.encode() for character in text], stop)

    assert all(
        cut_at_stop(text, stop).startswith("".join(reply.deltas[:n])) for n in range(len(reply.deltas) + 1)
    )


def test_text_is_held_only_while_it_may_become_a_stop_string() -> None:
    reply = Reply([b"one <", b"|", b"e", b"x"], ["<|end|>"])

    assert reply.deltas == ["one ", "", "", "<|ex"]


def test_half_a_stop_string_at_the_end_is_text() -> None:
    assert Reply([b"one <|en"], ["<|end|>"]).text == "one <|en"


def test_half_a_character_at_the_end_becomes_a_replacement() -> None:
    reply = Reply(["🧡".encode()[:3]])

    assert reply.deltas == [""]
    assert reply.rest == "\ufffd"


def test_bytes_that_can_never_be_a_character_are_replaced_at_once() -> None:
    assert Reply([b"a\xff", b"b"]).deltas == ["a\ufffd", "b"]


def test_nothing_follows_a_stop_string() -> None:
    reply = Reply([b"one stop two", b"three"], ["stop"])

    assert reply.deltas == ["one ", ""]
    assert reply.rest == ""
