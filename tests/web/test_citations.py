"""Numbers in an answer that lead to its passages, and the list of these under it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.safestring import SafeString

from chat.domain.events import RunFinished, Source, SourcesFound, TextDelta, ToolFinished, ToolStarted
from chat.models import Conversation, User
from chat.runtime import Runtime
from chat.web.markdown import MarkdownStream, render
from tests.web.chatting import reply_html, store_turn, url_of
from tests.web.markup import Element, Markup
from tests.web.run_events import numbered
from tests.web.test_encode import make_run, page_after, stream
from tests.web.xss_payloads import PAYLOADS

DOCUMENT_ID = str(uuid.UUID(int=7))
GUIDE = Source(1, "Guide.pdf", "Laid out in 1750.", DOCUMENT_ID, 3, 10, 90, 1, 2, 0.0325)
NOTES = Source(2, "notes.md", "Three ponds.", DOCUMENT_ID, None, 100, 120, 2, None, 0.0161)
FOUND = SourcesFound((GUIDE, NOTES), is_lexical=True)
LINKS = {n: SafeString(f"<a>{n}</a>") for n in (1, 2)}
CITING = """Old[1]. **Three [2][1]** and

- [2] first
- second [1](http://e.org)

| a [1] |
|---|
| [2] |

![1](http://e.org) Wow![1] end [1]"""


def chips_in(html: str) -> list[Element]:
    return [element for element in Markup(html).elements if element.attributes.get("class") == "cite"]


def names_in(html: str) -> list[str]:
    return [chip.attributes["aria-label"] for chip in chips_in(html)]


class TestMarkdown:
    @pytest.mark.parametrize(
        ("text", "html"),
        [
            ("Old [1].", "<p>Old <a>1</a>.</p>"),
            ("Old[1][2]", "<p>Old<a>1</a><a>2</a></p>"),
            ("**Old**[2] *[1]*", "<p><strong>Old</strong><a>2</a> <em><a>1</a></em></p>"),
            ("# Old [1]", "<h1>Old <a>1</a></h1>"),
            ("No source [3] or [0] or [01] or [x]", "<p>No source [3] or [0] or [01] or [x]</p>"),
            ("[^1] [1", "<p>[^1] [1</p>"),
            ("`[1]`", "<p><code>[1]</code></p>"),
            (r"not \[1]", "<p>not [1]</p>"),
        ],
    )
    def test_a_number_with_a_source_becomes_a_link(self, text: str, html: str) -> None:
        assert render(text, LINKS).strip() == html

    @pytest.mark.parametrize(
        "text",
        [
            "[1](http://e.org)",
            "[see [1]](http://e.org)",
            "[1]\n\n[1]: http://e.org",
            "```\n[1]\n```",
            "$x[1]$",
        ],
    )
    def test_links_code_and_formulas_stay_what_they_are(self, text: str) -> None:
        assert render(text, LINKS) == render(text)

    def test_no_bracket_is_ever_seen_while_the_words_come(self) -> None:
        stream, written = MarkdownStream(LINKS), "".join(Markup(render(CITING, LINKS)).words.split())

        for character in CITING:
            stream.feed(character)
            shown = "".join(Markup(stream.html).words.split())
            assert written.startswith(shown), shown

        stream.finish()
        assert stream.html == render(CITING, LINKS)

    def test_models_cannot_write_the_mark_themselves(self) -> None:
        assert "<a>" not in render("<sup>1</sup> &lt;sup>1&lt;/sup> $\\text{<sup>1</sup>}$", LINKS)


class TestChip:
    def test_it_leads_to_the_passage_and_is_described_by_it(self) -> None:
        html = reply_html(FOUND, TextDelta("Old [1]."))

        [chip] = chips_in(html)
        assert chip.attributes["aria-label"] == "Source 1"
        assert chip.attributes["href"] == f"/documents/{DOCUMENT_ID}?start=10&end=90#passage"
        card = next(
            e for e in Markup(html).elements if e.attributes.get("id") == chip.attributes["aria-describedby"]
        )
        assert "popover" in card.attributes

    @pytest.mark.parametrize("document_id", ["", "x", "../admin", "javascript:alert(1)", "//127.0.0.1:9/"])
    def test_a_source_that_is_no_document_leads_to_the_list(self, document_id: str) -> None:
        html = reply_html(SourcesFound((Source(1, "Guide", "Text", document_id),)), TextDelta("Old [1]."))

        [chip] = chips_in(html)
        assert chip.attributes["href"] == "#message-7-sources"
        assert "Open document" not in html

    def test_a_source_found_in_the_middle_is_linked_in_what_was_sent_before(self) -> None:
        search = [
            ToolStarted("c1", "search_documents"),
            FOUND,
            ToolFinished("c1", "search_documents", "x", False, 1),
        ]
        events = numbered(
            SourcesFound((GUIDE,)), TextDelta("Old [1].\n\nPonds [2].\n\n"), *search, RunFinished("stop")
        )

        page = page_after([], make_run()).receive(stream(events, make_run(), after=0, batch_size=1))

        assert [chip.attributes["aria-label"] for chip in chips_in(page.without("data-stream"))] == [
            "Source 1",
            "Source 2",
        ]

    def test_the_history_has_the_same_links(
        self, runtime: Runtime, alice: User, client_of: Callable[[User], Client]
    ) -> None:
        conversation = Conversation.objects.create(owner=alice, title="Garden", updated_at=timezone.now())
        events = [
            SourcesFound((GUIDE,)),
            TextDelta("Old [1]. "),
            FOUND,
            TextDelta("Ponds [2]."),
            RunFinished("stop"),
        ]
        run = store_turn(conversation, "How old?", events)

        html = client_of(alice).get(url_of(run)).content.decode()

        assert names_in(html) == ["Source 1", "Source 2"]
        assert 'aria-label="Sources"' in html


class TestSources:
    def test_they_are_there_before_the_answer_is(self) -> None:
        html = reply_html(FOUND)

        assert 'aria-label="Sources"' in html
        assert "2 sources" in html
        assert "Laid out in 1750." in html
        assert "Page 3" in html

    def test_why_these_shows_the_ranks_and_that_only_words_were_compared(self) -> None:
        words = Markup(reply_html(FOUND)).words.split("Why these")[1]

        assert "Only words were compared" in words
        assert "1120.0325\n22–0.0161" in words

    def test_nothing_found_is_said_quietly(self) -> None:
        html = reply_html(SourcesFound(()))

        assert "No passage in the documents matches this question." in html
        assert "<li" not in html

    def test_an_answer_without_a_search_has_no_sources(self) -> None:
        assert "Sources" not in reply_html(TextDelta("Hello [1]"))

    @pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
    def test_hostile_names_and_passages_are_text(self, payload: str) -> None:
        def shape(text: str) -> list[tuple[str, list[str]]]:
            html = reply_html(SourcesFound((Source(1, text, text, DOCUMENT_ID),)), TextDelta("Old [1]."))
            return [(element.tag, sorted(element.attributes)) for element in Markup(html).elements]

        assert shape(payload) == shape("plain")
