"""Attaching documents to a chat: files come in, are told about, go along with the first message, and are removed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chat.http import rate_limits
from chat.http.uploads import may_upload
from chat.models import Collection, Conversation, Document, DocumentStatus, User
from chat.runtime import Runtime
from tests.conftest import wait_until
from tests.web.chatting import HTMX, finished_chat, url_of
from tests.web.filing import attach, chat_of, collection_with, document_of, file
from tests.web.page_dom import parse

ClientOf = Callable[[User], Client]


def is_read() -> bool:
    return not Document.objects.pending().exists()


class TestNewChat:
    def test_a_file_becomes_a_chip_that_ends_up_ready(self, runtime: Runtime, client: Client) -> None:
        response = attach(client)

        draft = Collection.objects.get()
        assert response.headers["HX-Replace-Url"] == f"/?documents={draft.pk}"
        assert f'name="documents" value="{draft.pk}"' in response.content.decode()
        wait_until(is_read)
        chips = client.get(f"/attachments/{draft.pk}/", headers=HTMX).content.decode()
        assert "notes.txt" in chips
        assert "Ready" in chips
        assert "hx-trigger" not in chips

    def test_while_one_is_read_the_page_asks_again(self, runtime: Runtime, client: Client) -> None:
        attach(client)
        draft = Collection.objects.get()
        wait_until(is_read)
        Document.objects.update(status=DocumentStatus.INDEXING, num_chunks=12, num_indexed=3)

        chips = client.get(f"/attachments/{draft.pk}/", headers=HTMX).content.decode()

        assert f'hx-get="/attachments/{draft.pk}/" hx-swap="outerMorph" hx-trigger="every 700ms"' in chips
        assert "Indexing 3 of 12" in chips
        assert '<progress class="chip-bar" max="12" value="3"' in chips

    def test_the_documents_go_along_with_the_first_message(self, runtime: Runtime, client: Client) -> None:
        attach(client)
        draft = Collection.objects.get()
        wait_until(is_read)

        client.post("/", {"text": "When is it open?", "documents": str(draft.pk)})

        draft.refresh_from_db()
        conversation = Conversation.objects.get()
        assert draft.conversation == conversation
        page = client.get(f"/c/{conversation.pk}").content.decode()
        assert "notes.txt" in page
        assert 'name="documents"' not in page

    def test_a_reload_finds_them_by_the_address(self, runtime: Runtime, client: Client) -> None:
        attach(client)
        draft = Collection.objects.get()

        page = client.get(f"/?documents={draft.pk}").content.decode()

        assert "notes.txt" in page
        assert f'<input type="hidden" name="documents" value="{draft.pk}">' in page

    def test_the_chosen_assistant_stays_in_the_address(self, runtime: Runtime, client: Client) -> None:
        headers = {**HTMX, "HX-Current-URL": "http://testserver/?flow=abc&deleted=x"}

        response = client.post("/attachments/", {"files": file()}, headers=headers)

        draft = Collection.objects.get()
        assert response.headers["HX-Replace-Url"] == f"/?flow=abc&documents={draft.pk}"

    def test_without_scripts_a_form_takes_several_files_and_shows_them(
        self, runtime: Runtime, client: Client
    ) -> None:
        files = [file("a.txt", b"one"), file("b.md", b"two")]

        response = client.post("/attachments/", {"files": files}, follow=True)

        [(address, status)] = response.redirect_chain
        html = response.content.decode()
        assert (address, status) == (f"/?documents={Collection.objects.get().pk}", 303)
        assert "a.txt" in html
        assert "b.md" in html
        assert parse(html.replace("<!doctype html>", ""))

    @pytest.mark.parametrize("documents", ["", "x", "342f167e-d57b-4e43-8456-a56bebf0361b", "\x00"])
    def test_an_unknown_collection_counts_for_nothing(
        self, runtime: Runtime, client: Client, documents: str
    ) -> None:
        response = client.post("/", {"text": "Hello", "documents": documents})

        assert response.status_code == 303
        assert client.get("/", {"documents": documents}).status_code == 200

    def test_another_persons_collection_does_not_come_along(
        self, runtime: Runtime, client: Client, alice: User
    ) -> None:
        hers = collection_with(document_of("secret", "secret.txt"), owner=alice)

        client.post("/", {"text": "Hello", "documents": str(hers.pk)})
        page = client.get(f"/?documents={hers.pk}").content.decode()

        hers.refresh_from_db()
        assert hers.conversation is None
        assert "secret.txt" not in page


class TestConversation:
    def test_it_has_one_collection_however_often_files_come(self, runtime: Runtime, client: Client) -> None:
        address = f"{url_of(finished_chat(client))}/attachments"

        attach(client, address, file("a.txt", b"one"))
        chips = attach(client, address, file("b.txt", b"two")).content.decode()

        assert Collection.objects.get().documents.count() == 2
        assert "a.txt" in chips
        assert f'data-address="{address}"' in chips

    def test_the_same_file_twice_is_one_chip(self, runtime: Runtime, client: Client) -> None:
        address = f"{url_of(finished_chat(client))}/attachments"
        attach(client, address)

        chips = attach(client, address).content.decode()

        assert chips.count("<li ") == 1

    def test_removing_takes_chip_document_and_file(self, runtime: Runtime, client: Client) -> None:
        attach(client, f"{url_of(finished_chat(client))}/attachments")
        collection, document = Collection.objects.get(), Document.objects.get()
        path = runtime.library.files.path_of(document)
        assert path.exists()

        response = client.post(f"/attachments/{collection.pk}/{document.pk}/remove", headers=HTMX)

        assert "notes.txt" not in response.content.decode()
        assert not Document.objects.exists()
        assert not path.exists()

    def test_without_scripts_removing_leads_back_to_the_chat(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        conversation, document = chat_of(alice), document_of()
        collection = collection_with(document, owner=alice, conversation=conversation)

        response = client_of(alice).post(f"/attachments/{collection.pk}/{document.pk}/remove")

        assert (response.status_code, response["Location"]) == (303, f"/c/{conversation.pk}")

    @pytest.mark.parametrize(("num_documents", "is_folded"), [(3, False), (4, True)])
    def test_many_documents_fold_into_one_line(
        self, alice: User, client_of: ClientOf, num_documents: int, is_folded: bool
    ) -> None:
        conversation = chat_of(alice)
        collection_with(
            *(document_of() for _ in range(num_documents)), owner=alice, conversation=conversation
        )

        chips = client_of(alice).get(f"/c/{conversation.pk}/attachments").content.decode()

        assert (f"{num_documents} documents" in chips) == is_folded

    def test_one_that_cannot_be_read_says_why_and_does_not_fold(
        self, alice: User, client_of: ClientOf
    ) -> None:
        conversation = chat_of(alice)
        failed = document_of("", status=DocumentStatus.FAILED, error_message="It has a <password>.")
        others = [document_of() for _ in range(5)]
        collection_with(failed, *others, owner=alice, conversation=conversation)

        chips = client_of(alice).get(f"/c/{conversation.pk}/attachments").content.decode()

        assert "It has a &lt;password&gt;." in chips
        assert "1 could not be read" in chips
        assert "<details" not in chips


class TestRefusals:
    def test_what_cannot_be_read_is_told_in_words_and_leaves_no_trace(
        self, runtime: Runtime, client: Client
    ) -> None:
        response = attach(client, "/attachments/", file("sheet.xlsx", b"PK"))

        assert response.status_code == 400
        assert '<p class="problem">' in response.content.decode()
        assert "PDF" in response.content.decode()
        assert not Collection.objects.exists()

    def test_a_form_without_a_file_is_told_so(self, runtime: Runtime, client: Client) -> None:
        response = client.post("/attachments/")

        assert response.status_code == 400
        assert b"No file was chosen." in response.content

    def test_too_many_uploads_in_a_minute_are_told_to_come_back(
        self, runtime: Runtime, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rate_limits, "UPLOADS_PER_MINUTE", 2)
        client.get("/")
        statuses = [attach(client, "/attachments/", file(f"{n}.txt")).status_code for n in range(3)]
        as_somebody_else = attach(Client())

        assert statuses == [200, 200, 429]
        assert as_somebody_else.status_code == 429  # from the same address
        assert int(as_somebody_else["Retry-After"]) > 0

    @pytest.mark.parametrize("address", ["/attachments/", "/c/{c}/attachments", "/attachments/{a}/"])
    def test_a_post_without_its_token_is_refused(self, alice: User, address: str) -> None:
        conversation = chat_of(alice)
        collection = collection_with(owner=alice)
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

        response = attach(browser, address.format(c=conversation.pk, a=collection.pk))

        assert response.status_code == 403
        assert not Document.objects.exists()

    @pytest.mark.parametrize(
        "name",
        ["../../etc/passwd.txt", "..\\..\\boot.txt", "C:x.txt", "a\nb.txt", "<img src=x onerror=alert(1)>.txt",
         "x" * 300 + ".txt", "\u202etxt.exe.txt", "Grüße 😀.txt", "'&quot;--.txt", "</hx-partial>.txt"],
    )  # fmt: skip
    def test_odd_names_are_only_names(self, runtime: Runtime, client: Client, name: str) -> None:
        html = attach(client, "/attachments/", file(name)).content.decode()

        document = Document.objects.get()
        assert parse(html)
        assert "<img" not in html
        assert "\u202e" not in document.filename
        assert {path.name for path in runtime.library.files.path_of(document).parent.iterdir()} == {
            document.pk.hex
        }


class TestOutsiders:
    @pytest.fixture
    def ids(self, alice: User) -> dict[str, Any]:
        conversation, document = chat_of(alice), document_of("secret", "secret.txt")
        collection = collection_with(document, owner=alice, conversation=conversation)
        draft = collection_with(document, owner=alice)
        return {"c": conversation.pk, "a": collection.pk, "b": draft.pk, "d": document.pk}

    @pytest.mark.parametrize("verb", ["get", "post"])
    @pytest.mark.parametrize(
        "address",
        ["/c/{c}/attachments", "/attachments/{a}/", "/attachments/{b}/", "/attachments/{a}/{d}/remove",
         "/attachments/{b}/{d}/remove"],
    )  # fmt: skip
    def test_nothing_of_anothers_exists(
        self, charlie: User, client_of: ClientOf, ids: dict[str, Any], address: str, verb: str
    ) -> None:
        charlie.is_staff = True
        charlie.save()

        for outsider in (Client(), client_of(charlie)):
            for headers in ({}, HTMX):
                response = getattr(outsider, verb)(address.format(**ids), {"files": file()}, headers=headers)

                assert response.status_code in (404, 405)
                assert b"secret" not in response.content
        assert Document.objects.get().collections.count() == 2

    def test_only_what_is_in_the_collection_can_be_taken_out_of_it(
        self, alice: User, client_of: ClientOf, ids: dict[str, Any]
    ) -> None:
        other = document_of()

        response = client_of(alice).post(f"/attachments/{ids['a']}/{other.pk}/remove")

        assert response.status_code == 404


def test_the_routes_that_take_files_are_those_with_room_for_them() -> None:
    some = uuid.uuid4()
    addresses = [
        reverse("new_attachments"),
        reverse("attachments", args=[some]),
        reverse("conversation_attachments", args=[some]),
        reverse("collection_documents", args=[some]),
        reverse("import_file"),
    ]

    assert all(may_upload("POST", address) for address in addresses)
    assert not may_upload("POST", reverse("post", args=[some]))
