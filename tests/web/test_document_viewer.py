"""The page of a document: who may read it, which stretch it shows, exactly which words are marked; its download."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import AsyncClient, Client

from chat.models import Document, DocumentStatus, Flow, User
from chat.runtime import Runtime
from chat.web.excerpts import LEAD_CHARS, WINDOW_CHARS
from tests.web.filing import (
    attach,
    chat_of,
    collection_with,
    deleted_chat_of,
    document_of,
    file,
    paged_document,
)
from tests.web.page_dom import Node, parse
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]
ROMAN = "Grüße aus Köln 😀👩‍👩‍👧: „Straße“ 𝔘𝔫𝔦\tcode\nZeile zwei\n\nfin"


@pytest.fixture
def reader(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def stored(alice: User, document: Document) -> Document:
    collection_with(document, owner=alice, conversation=chat_of(alice))
    return document


def page_of(reader: Client, document: Document, query: str = "") -> Node:
    html = reader.get(f"/documents/{document.pk}{query}").content.decode()
    return parse(html.replace("<!doctype html>", ""))


def elements(page: Node, tag: str, **attributes: str) -> list[Node]:
    wanted = {name.rstrip("_"): value for name, value in attributes.items()}
    return [node for node, _ in page.walk() if node.tag == tag and wanted.items() <= node.attributes.items()]


def text_of(node: Node) -> str:
    return "".join(child if isinstance(child, str) else text_of(child) for child in node.children)


def words_of(page: Node) -> str:
    return "".join(text_of(node) for node in elements(page, "div", class_="document-words"))


class TestAccess:
    @pytest.mark.parametrize("path", ["", "?start=0&end=4", "/file"])
    def test_for_an_outsider_it_does_not_exist(
        self, alice: User, charlie: User, client_of: ClientOf, path: str
    ) -> None:
        document = stored(alice, document_of("secret"))

        for outsider in (Client(), client_of(charlie)):
            response = outsider.get(f"/documents/{document.pk}{path}")

            assert response.status_code == 404
            assert b"secret" not in response.content

    def test_staff_cannot_read_what_people_attach(self, alice: User, bob: User, client_of: ClientOf) -> None:
        document = stored(alice, document_of("secret"))
        bob.is_staff = True
        bob.save()

        assert client_of(bob).get(f"/documents/{document.pk}").status_code == 404

    def test_a_deleted_chat_takes_its_documents_out_of_sight(self, reader: Client, alice: User) -> None:
        document = stored(alice, document_of())
        document.collections.update(conversation=deleted_chat_of(alice))

        assert reader.get(f"/documents/{document.pk}").status_code == 404

    def test_those_of_a_flow_are_read_by_whoever_chats_with_it(
        self, reader: Client, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        document = document_of("opening hours")
        flow = Flow.objects.create(name="Shop", collection=collection_with(document, name="Shop"))
        conversation = chat_of(alice)
        conversation.flow = flow
        conversation.save()

        assert "opening hours" in words_of(page_of(reader, document))
        assert client_of(charlie).get(f"/documents/{document.pk}").status_code == 404

    def test_an_unknown_document_is_not_found(self, reader: Client) -> None:
        assert reader.get(f"/documents/{uuid.uuid4()}").status_code == 404


class TestPassage:
    @pytest.mark.parametrize(
        ("start", "end"), [(0, 5), (10, 14), (15, 21), (24, 30), (32, 36), (41, 52), (0, len(ROMAN))]
    )
    def test_exactly_its_characters_are_marked(
        self, reader: Client, alice: User, start: int, end: int
    ) -> None:
        page = page_of(reader, stored(alice, document_of(ROMAN)), f"?start={start}&end={end}")

        [mark] = elements(page, "mark", id="passage")
        assert text_of(mark) == ROMAN[start:end]
        assert words_of(page) == ROMAN

    def test_one_over_two_pages_is_marked_on_both(self, reader: Client, alice: User) -> None:
        page = page_of(reader, stored(alice, paged_document("first page", "second page")), "?start=6&end=17")

        assert [text_of(mark) for mark in elements(page, "mark")] == ["page\n", "second"]
        assert [mark.attributes.get("id") for mark in elements(page, "mark")] == ["passage", None]

    def test_far_down_a_long_text_it_comes_with_what_is_around_it(self, reader: Client, alice: User) -> None:
        text = "".join(f"Line {number:06} ü😀.\n" for number in range(60_000))
        document = stored(alice, document_of(text))
        start = text.index("Line 040000")

        page = page_of(reader, document, f"?start={start}&end={start + 11}")

        words = words_of(page)
        assert text_of(elements(page, "mark")[0]) == "Line 040000"
        assert words.index("Line 040000") == LEAD_CHARS
        assert words in text
        assert len(words) <= WINDOW_CHARS

    @pytest.mark.parametrize(
        "query",
        [
            "?start=5&end=2", "?start=-1&end=3", "?start=x&end=y", "?start=999999&end=9999999", "?start=" + "9" * 40,
            "?from=x", "?from=-5", "?from=" + "9" * 9, "?start=%00&end=%ff",
        ],
    )  # fmt: skip
    def test_nonsense_marks_nothing_and_does_no_harm(self, reader: Client, alice: User, query: str) -> None:
        page = page_of(reader, stored(alice, document_of()), query)

        assert elements(page, "mark") == []


class TestText:
    def test_a_long_text_comes_in_stretches_that_join_without_a_gap(
        self, reader: Client, alice: User
    ) -> None:
        text = "".join(f"{number} wörter\n" for number in range(12_000))
        document = stored(alice, document_of(text))
        read, query = "", ""
        while query is not None:
            page = page_of(reader, document, query)
            assert 0 < len(words_of(page)) <= WINDOW_CHARS
            read += words_of(page)
            links = [node for node in elements(page, "a") if text_of(node) == "Later text"]
            query = links[0].attributes["href"] if links else None

        assert read == text
        assert "Earlier text" in text_of(page)

    def test_pages_are_numbered_where_they_begin(self, reader: Client, alice: User) -> None:
        page = page_of(reader, stored(alice, paged_document("one", "two", "three")))

        sections = elements(page, "section")
        assert [node.attributes["aria-label"] for node in sections] == ["Page 1", "Page 2", "Page 3"]
        assert [text_of(node).strip() for node in elements(page, "div", class_="document-words")] == [
            "one",
            "two",
            "three",
        ]

    def test_a_failed_document_says_why(self, reader: Client, alice: User) -> None:
        failed = document_of("", status=DocumentStatus.FAILED, error_message="It has a password.")

        page = page_of(reader, stored(alice, failed))

        assert "It has a password." in text_of(page)

    def test_hostile_text_and_names_are_shown_as_text(self, reader: Client, alice: User) -> None:
        for payload in PAYLOADS.values():
            text = payload.replace("\0", "").replace("\r", "\n")  # readers do that
            document = stored(alice, document_of(text, payload.replace("\0", "")[:255]))

            page = page_of(reader, document, f"?start=0&end={len(text)}")

            assert words_of(page) == text
            [shown] = elements(page, "div", class_="document-text")
            assert {node.tag for node, _ in shown.walk()} == {"section", "div", "mark"}

    def test_a_page_asks_as_much_of_the_database_however_long_the_text(
        self, reader: Client, alice: User, django_assert_max_num_queries: Callable[[int], object]
    ) -> None:
        document = stored(alice, paged_document(*["words " * 200] * 300))

        with django_assert_max_num_queries(9):
            page_of(reader, document)


class TestDownload:
    def get(self, browser: Client, document: Document) -> tuple[HttpResponse, bytes]:
        async def read() -> tuple[Any, bytes]:
            reader = AsyncClient()
            reader.cookies = browser.cookies
            response = await reader.get(f"/documents/{document.pk}/file")
            if not response.streaming:
                return response, response.content
            return response, b"".join([part async for part in response.streaming_content])

        return asyncio.run(read())

    def test_it_is_the_file_as_it_came_and_never_shown(self, runtime: Runtime, client: Client) -> None:
        content = b"<html><script>alert(1)</script></html>" + b"x" * 3_000_000
        attach(client, "/attachments/", file('Grüße "1".html', content))

        response, body = self.get(client, Document.objects.get())

        assert body == content
        assert response["Content-Type"] == "application/octet-stream"
        assert response["Content-Disposition"] == "attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe%20_1_.html"
        assert response["Content-Security-Policy"].startswith("sandbox")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert int(response["Content-Length"]) == len(content)

    def test_a_file_that_is_gone_is_told_so(self, runtime: Runtime, client: Client) -> None:
        attach(client)
        document = Document.objects.get()
        runtime.library.files.path_of(document).unlink()

        response, body = self.get(client, document)

        assert response.status_code == 404
        assert b"The file of this document is gone." in body
