"""Passages: every letter is in one, in order, cut where a reader would cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.retrieval.chunker import MIN_CHARS, OVERLAP_CHARS, TARGET_CHARS, Span, chunks_of

SENTENCE = "The quick brown fox jumps over the lazy dog near the river. "

pieces = st.sampled_from(
    [
        "word ",
        "x" * 90,
        SENTENCE,
        "\n",
        "\n\n",
        "# Title\n",
        "- item\n",
        "| a | b |\n",
        "```\n",
        "~~~~\n",
        "。",
        "\t",
        "! ",
    ]
)
texts = st.lists(st.one_of(pieces, st.text(max_size=20)), max_size=120).map("".join)


def parts(text: str, page_starts: tuple[int, ...] = ()) -> list[str]:
    return [text[span.start : span.end] for span in chunks_of(text, page_starts)]


class TestAnyText:
    @settings(max_examples=50, deadline=None)
    @given(texts)
    def test_every_letter_is_in_a_passage_and_they_come_in_order(self, text: str) -> None:
        spans = chunks_of(text, ())

        covered = {place for span in spans for place in range(span.start, span.end)}
        assert all(place in covered for place, letter in enumerate(text) if not letter.isspace())
        assert [span.start for span in spans] == sorted({span.start for span in spans})
        assert [span.end for span in spans] == sorted({span.end for span in spans})

    @settings(max_examples=50, deadline=None)
    @given(texts)
    def test_no_passage_is_empty_too_long_or_mostly_said_before(self, text: str) -> None:
        spans = chunks_of(text, ())

        assert all(text[span.start : span.end].strip() == text[span.start : span.end] != "" for span in spans)
        assert all(span.end - span.start <= TARGET_CHARS for span in spans)
        assert all(before.end - after.start <= OVERLAP_CHARS for before, after in pairwise(spans))

    @settings(max_examples=50, deadline=None)
    @given(st.lists(texts, min_size=1, max_size=4))
    def test_no_passage_crosses_pages(self, pages: list[str]) -> None:
        starts = tuple(len("".join(pages[:number])) for number in range(len(pages)))

        for span in chunks_of("".join(pages), starts):
            assert span.page is not None
            assert (
                starts[span.page - 1]
                <= span.start
                < span.end
                <= starts[span.page - 1] + len(pages[span.page - 1])
            )


class TestPlaces:
    def test_a_short_text_is_one_passage(self) -> None:
        assert chunks_of("  Hello.\n\nYou. \n", ()) == [Span(2, 14)]

    def test_sections_are_parted_at_their_headings(self) -> None:
        text = "".join(f"# Part {number}\n\n{SENTENCE * 7}\n\n" for number in range(4))

        assert [part[:8] for part in parts(text)] == [f"# Part {number}" for number in range(4)]

    def test_a_heading_stays_with_what_follows(self) -> None:
        text = f"{SENTENCE * 12}\n\n## Title\n{SENTENCE * 4}"

        assert all(not part.endswith("Title") for part in parts(text))

    def test_paragraphs_stay_whole_where_they_fit(self) -> None:
        paragraphs = [f"{number} {SENTENCE * 8}".strip() for number in range(5)]

        assert parts("\n\n".join(paragraphs)) == paragraphs

    def test_a_long_paragraph_is_cut_between_sentences_and_the_last_one_is_said_again(self) -> None:
        found = parts(SENTENCE * 40)

        assert all(part.startswith("The quick") and part.endswith("river.") for part in found)
        assert sum(map(len, found)) > len(SENTENCE * 40)

    def test_a_block_of_code_that_fits_stays_whole(self) -> None:
        code = "```python\n" + "x = 1. # note. \n\n" * 30 + "```"

        assert code in parts(f"{SENTENCE * 5}\n\n{code}\n\n{SENTENCE * 5}")

    def test_rows_of_a_table_stay_whole_and_are_said_once(self) -> None:
        rows = [f"| {number} | some longer text of a row. And more | value |" for number in range(60)]

        assert "\n".join(parts("\n".join(rows))).split("\n") == rows

    def test_pages_count_from_one(self) -> None:
        assert chunks_of("one\n\ntwo\n\n\n\nfour", (0, 5, 10, 12)) == [
            Span(0, 3, 1),
            Span(5, 8, 2),
            Span(12, 16, 4),
        ]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 400_000,
        "\n" * 400_000,
        "." * 400_000,
        "a\n" * 200_000,
        "# a\n" * 100_000,
        "```\n" * 100_000,
        " ." * 200_000,
    ],
    ids=["one word", "newlines", "dots", "lines", "headings", "fences", "blanks"],
)
def test_a_hostile_text_makes_no_more_passages_than_its_length_allows(text: str) -> None:
    assert len(chunks_of(text, ())) <= len(text) // (MIN_CHARS - OVERLAP_CHARS)
