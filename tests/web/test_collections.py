"""The server's collections: the pages on which staff fill them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat.models import Collection, Document, DocumentStatus, Flow, User
from chat.runtime import Runtime
from tests.conftest import wait_until
from tests.web.chatting import HTMX
from tests.web.filing import collection_with, document_of
from tests.web.page_dom import parse
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]


@pytest.fixture
def boss(transactional_db: None, client_of: ClientOf) -> Client:
    return client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))


def html_of(browser: Client, address: str, **headers: str) -> str:
    response = browser.get(address, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def upload(boss: Client, collection: Collection, **headers: str) -> str:
    file = SimpleUploadedFile("manual.md", b"# Press the red button")
    response = boss.post(f"/collections/{collection.pk}/documents", {"files": file}, headers=headers)
    assert response.status_code in (200, 303)
    return response.content.decode()


class TestAccess:
    @pytest.mark.parametrize("verb", ["get", "post"])
    @pytest.mark.parametrize(
        "address", ["", "{pk}/", "{pk}/documents", "{pk}/documents/{doc}/remove", "{pk}/delete"]
    )
    def test_for_an_outsider_the_pages_do_not_exist(
        self, charlie: User, client_of: ClientOf, address: str, verb: str
    ) -> None:
        document = document_of("secret", "secret.txt")
        collection = collection_with(document, name="Handbook")
        path = f"/collections/{address.format(pk=collection.pk, doc=document.pk)}"

        for browser in (Client(), client_of(charlie)):
            response = getattr(browser, verb)(path, {"name": "Mine"})

            assert response.status_code in (404, 405)
            assert b"secret" not in response.content
        assert Collection.objects.get().name == "Handbook"
        assert Document.objects.exists()

    @pytest.mark.parametrize("address", ["", "documents", "documents/{doc}/remove", "delete"])
    def test_staff_do_not_get_at_what_people_attach(self, boss: Client, alice: User, address: str) -> None:
        document = document_of()
        hers = collection_with(document, owner=alice)

        for verb in ("get", "post"):
            response = getattr(boss, verb)(f"/collections/{hers.pk}/{address.format(doc=document.pk)}")
            assert response.status_code in (404, 405)
        assert hers.documents.count() == 1

    def test_the_way_to_them_is_shown_to_staff_only(
        self, boss: Client, charlie: User, client_of: ClientOf
    ) -> None:
        assert 'href="/collections/"' in html_of(boss, "/keys/")
        assert 'href="/collections/"' not in html_of(client_of(charlie), "/keys/")


class TestList:
    def test_it_tells_what_each_holds(self, boss: Client) -> None:
        failed = document_of("", status=DocumentStatus.FAILED, num_bytes=1000)
        collection_with(document_of(num_bytes=2000), failed, name="Handbook")
        collection_with(name="Empty")

        html = html_of(boss, "/collections/")

        assert "<dt>Documents</dt><dd>2</dd>" in html
        assert "2.9\u00a0KB" in html
        assert "1 failed" in html
        assert html.index("Empty") < html.index("Handbook")

    def test_a_long_list_needs_no_more_queries_than_a_short_one(self, boss: Client) -> None:
        html_of(boss, "/collections/")
        counts = []
        for name in ("ab", "cdefghijkl"):
            for letter in name:
                collection_with(document_of(), document_of(), name=letter)
            with CaptureQueriesContext(connection) as queries:
                html_of(boss, "/collections/")
            counts.append(len(queries))

        assert counts[0] == counts[1] <= 4

    def test_a_new_one_is_shown_at_once(self, boss: Client) -> None:
        response = boss.post("/collections/", {"name": "  Handbook "})

        collection = Collection.objects.get()
        assert (collection.name, response["Location"]) == ("Handbook", f"/collections/{collection.pk}/")

    @pytest.mark.parametrize(
        ("name", "complaint"),
        [("", "This field is required."), ("x" * 81, "at most 80"), ("Handbook", "has this name already")],
    )
    def test_a_wrong_name_is_told(self, boss: Client, name: str, complaint: str) -> None:
        other = collection_with(name="Other")
        collection_with(name="Handbook")

        for address in ("/collections/", f"/collections/{other.pk}/"):
            assert complaint in boss.post(address, {"name": name}).content.decode()
        assert set(Collection.objects.values_list("name", flat=True)) == {"Other", "Handbook"}


class TestCollection:
    def test_files_come_in_and_are_read(self, runtime: Runtime, boss: Client) -> None:
        collection = collection_with(name="Handbook")

        assert "manual.md" in upload(boss, collection, **HTMX)
        wait_until(lambda: not Document.objects.pending().exists())

        html = html_of(boss, f"/collections/{collection.pk}/documents", **HTMX)
        assert "<dt>Passages</dt><dd>1</dd>" in html
        assert "words only" in html
        assert "hx-trigger" not in html

    def test_without_scripts_an_upload_leads_back_to_the_page(self, runtime: Runtime, boss: Client) -> None:
        collection = collection_with(name="Handbook")

        upload(boss, collection)

        page = html_of(boss, f"/collections/{collection.pk}/")
        assert "manual.md" in page
        assert parse(page.replace("<!doctype html>", ""))

    def test_a_document_is_removed_with_its_file(self, runtime: Runtime, boss: Client) -> None:
        collection = collection_with(name="Handbook")
        upload(boss, collection)
        document = Document.objects.get()
        path = runtime.library.files.path_of(document)

        boss.post(f"/collections/{collection.pk}/documents/{document.pk}/remove")

        assert not Document.objects.exists()
        assert not path.exists()

    def test_while_documents_are_read_the_page_asks_again(self, boss: Client) -> None:
        pending = document_of(status=DocumentStatus.INDEXING, num_chunks=9, num_indexed=4)
        collection = collection_with(pending, name="Handbook")

        html = html_of(boss, f"/collections/{collection.pk}/")

        assert "Indexing 4 of 9" in html
        assert f'hx-get="/collections/{collection.pk}/documents"' in html

    def test_it_says_which_flows_use_it(self, boss: Client) -> None:
        collection = collection_with(name="Handbook")
        Flow.objects.create(name="Clerk", collection=collection)

        for address in ("", "delete"):
            assert "Clerk" in html_of(boss, f"/collections/{collection.pk}/{address}")

    def test_deleting_leaves_the_flow_and_what_others_hold(
        self, runtime: Runtime, boss: Client, alice: User
    ) -> None:
        shared, own = document_of(), document_of()
        collection = collection_with(shared, own, name="Handbook")
        collection_with(shared, owner=alice)
        flow = Flow.objects.create(name="Clerk", collection=collection)

        response = boss.post(f"/collections/{collection.pk}/delete")

        flow.refresh_from_db()
        assert response["Location"] == "/collections/"
        assert flow.collection is None
        assert Document.objects.get() == shared

    def test_hostile_names_are_shown_as_text(self, boss: Client) -> None:
        collection = collection_with(name="Handbook")
        page = f"/collections/{collection.pk}/"
        for payload in PAYLOADS.values():
            text = payload.replace("\0", "")
            document = document_of("", text, status=DocumentStatus.FAILED, error_message=text)
            collection.placements.create(document=document)
        before = tags_of(html_of(boss, page))
        collection.name = "<img src=x onerror=alert(1)>"
        collection.save()

        assert "img" not in before
        for address in ("/collections/", page, f"{page}delete", f"{page}documents"):
            assert "<img" not in html_of(boss, address)


def tags_of(html: str) -> set[str]:
    return {node.tag for node, _ in parse(html.replace("<!doctype html>", "")).walk()}
