"""The list of chats in pages, pins, the archive, tags, deleting many, and the palette."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import Conversation, User
from chat.runtime import Runtime
from tests.web.chatting import HTMX

ClientOf = Callable[[User], Client]


def store_chats(owner: User, num: int, title: str = "Chat") -> list[Conversation]:
    """That many, each an hour older than the one before."""
    now = timezone.now()
    return Conversation.objects.bulk_create(
        Conversation(owner=owner, title=f"{title} {n}.", updated_at=now - timedelta(hours=n))
        for n in range(num)
    )


def titles_in(html: str) -> list[str]:
    return re.findall(r'class="row-title">([^<]*)<', html)


@pytest.fixture
def browser(runtime: Runtime, alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


class TestPaging:
    def test_the_pages_hold_every_chat_once_and_name_each_day_once(
        self, browser: Client, alice: User
    ) -> None:
        store_chats(alice, 120)

        html = browser.get("/sidebar").content.decode()
        while found := re.search(r'hx-get="(/sidebar\?after=[^"]+)"', html):
            html = html.replace(found[0], "") + browser.get(found[1], headers=HTMX).content.decode()

        assert titles_in(html) == [f"Chat {n}." for n in range(120)]
        labels = re.findall(r'class="group">([^<]*)<', html)
        assert len(labels) == len(set(labels))

    def test_a_list_that_is_made_anew_keeps_its_length(self, browser: Client, alice: User) -> None:
        store_chats(alice, 120)

        html = browser.get("/sidebar", headers={**HTMX, "Parley-Rows": "100"}).content.decode()

        assert len(titles_in(html)) == 100

    def test_thousands_of_chats_cost_no_more_than_a_few(self, browser: Client, alice: User) -> None:
        browser.get("/")  # the first visit asks for more
        counts = []
        for num in (5, 3_000):
            store_chats(alice, num)
            with CaptureQueriesContext(connection) as queries:
                browser.get("/")
                browser.get("/sidebar?after=1700000000000000-00000000000000000000000000000000")
            counts.append(len(queries))
        lists = [query["sql"] for query in queries if "ORDER BY" in query["sql"] and "LIMIT" in query["sql"]]
        assert counts[0] == counts[1]
        assert len(lists) >= 3
        for sql in lists:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                steps = [row[3] for row in cursor.fetchall()]
            assert not [step for step in steps if step.startswith("SCAN")], steps

    @pytest.mark.parametrize("after", ["x", "-1", "9" * 40 + "-" + "0" * 32, "1-1", "²-" + "0" * 32])
    def test_a_made_up_place_does_no_harm(self, browser: Client, after: str) -> None:
        assert browser.get("/sidebar", {"after": after}).status_code == 200
        assert browser.get("/chats/", {"after": after}).status_code == 200


class TestPinsAndArchive:
    def test_a_pinned_chat_comes_first(self, browser: Client, alice: User) -> None:
        chats = store_chats(alice, 3)

        html = browser.post(f"/c/{chats[2].pk}/pin", headers=HTMX).content.decode()

        assert titles_in(html) == ["Chat 2.", "Chat 0.", "Chat 1."]
        assert "Pinned" in html
        browser.post(f"/c/{chats[2].pk}/unpin")
        assert titles_in(browser.get("/sidebar").content.decode())[0] == "Chat 0."

    def test_an_archived_chat_leaves_the_list_and_comes_back(self, browser: Client, alice: User) -> None:
        chats = store_chats(alice, 2)

        browser.post(f"/c/{chats[0].pk}/archive")

        assert titles_in(browser.get("/").content.decode()) == ["Chat 1."]
        assert "Chat 0." in browser.get("/chats/?archived").content.decode()
        assert "Chat 1." not in browser.get("/chats/?archived").content.decode()
        browser.post(f"/c/{chats[0].pk}/unarchive")
        assert len(titles_in(browser.get("/").content.decode())) == 2


class TestTags:
    def test_chats_are_listed_by_tag(self, browser: Client, alice: User) -> None:
        chats = store_chats(alice, 3)

        browser.post(f"/c/{chats[1].pk}/tags", {"name": " #Sea  Trip "})

        html = browser.get("/chats/?tag=sea+trip").content.decode()
        assert "Chat 1." in html
        assert "Chat 0." not in html
        browser.post(f"/c/{chats[1].pk}/tags", {"remove": "sea trip"})
        assert "sea trip" not in browser.get("/chats/").content.decode()

    @pytest.mark.parametrize("name", ["", "  ", "#", "x" * 41])
    def test_an_impossible_tag_is_refused(self, browser: Client, alice: User, name: str) -> None:
        [chat] = store_chats(alice, 1)

        assert browser.post(f"/c/{chat.pk}/tags", {"name": name}).status_code == 400
        assert chat.tags.count() == 0

    def test_the_dialog_is_a_page_without_scripts(self, browser: Client, alice: User) -> None:
        [chat] = store_chats(alice, 1)
        browser.post(f"/c/{chat.pk}/tags", {"name": "<b>"})

        assert b"<dialog" in browser.get(f"/c/{chat.pk}/tags", headers=HTMX).content
        page = browser.get(f"/c/{chat.pk}/tags").content.decode()
        assert "<html" in page
        assert "Remove the tag &lt;b&gt;" in page


class TestDeletingMany:
    def test_the_ticked_ones_go_and_come_back(self, browser: Client, alice: User) -> None:
        chats = store_chats(alice, 4)

        done = browser.post("/chats/delete", {"chat": [chats[0].pk, chats[2].pk, "nonsense"]}, follow=True)

        html = done.content.decode()
        assert Conversation.objects.kept().count() == 2
        undo = re.search(r'name="deleted" value="([^"]+)"', html)
        assert undo
        browser.post("/chats/restore", {"deleted": undo[1]})
        assert Conversation.objects.kept().count() == 4

    def test_nothing_ticked_is_told(self, browser: Client) -> None:
        assert browser.post("/chats/delete").status_code == 400
        assert browser.post("/chats/restore", {"deleted": "yesterday"}).status_code == 400


class TestPalette:
    def test_it_finds_commands_and_chats(self, browser: Client, alice: User) -> None:
        store_chats(alice, 1, "Plans for keys")

        assert "New chat" in browser.get("/palette", headers=HTMX).content.decode()
        html = browser.get("/palette/found?q=keys", headers=HTMX).content.decode()

        assert "API <mark>" not in html
        assert "API keys" in html
        assert "Plans for <mark>keys</mark>" in html
        assert "New chat" not in html

    def test_staff_find_more(self, browser: Client, alice: User) -> None:
        for_staff = (b"Flows", b"Review", b"Numbers", b"Engine")

        before = browser.get("/palette").content
        User.objects.update(is_staff=True)
        after = browser.get("/palette").content

        assert [name in before for name in for_staff] == [False] * 4
        assert [name in after for name in for_staff] == [True] * 4

    def test_whatever_it_offers_a_guest_is_there(self, runtime: Runtime, client: Client) -> None:
        client.get("/")
        html = client.get("/palette").content.decode()

        offered = re.findall(r'<a class="hit"[^>]* href="([^"]+)"', html)

        assert "/account/data" in offered
        assert [client.get(address).status_code for address in offered] == [200] * len(offered)

    def test_the_sheet_of_shortcuts_is_a_dialog_and_a_page(self, browser: Client) -> None:
        assert b"<dialog" in browser.get("/shortcuts", headers=HTMX).content
        assert b"Ctrl+K" in browser.get("/shortcuts").content


class TestOutsiders:
    @pytest.mark.parametrize("verb", ["pin", "unpin", "archive", "unarchive", "tags"])
    def test_anothers_chat_does_not_exist(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf, verb: str
    ) -> None:
        [chat] = store_chats(alice, 1)

        for stranger in (client_of(charlie), Client()):
            assert stranger.post(f"/c/{chat.pk}/{verb}", {"name": "mine"}).status_code == 404
        assert client_of(charlie).get(f"/c/{chat.pk}/tags").status_code == 404
        chat.refresh_from_db()
        assert (chat.pinned_at, chat.archived_at, chat.tags.count()) == (None, None, 0)

    def test_anothers_chats_are_neither_listed_nor_deleted_nor_restored(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        chats = store_chats(alice, 2, "Secret")
        chats[0].tags.create(name="hidden")
        moment = timezone.now()
        Conversation.objects.filter(pk=chats[1].pk).update(deleted_at=moment)
        stranger = client_of(charlie)

        stranger.post("/chats/delete", {"chat": [chats[0].pk]})
        stranger.post("/chats/restore", {"deleted": moment.isoformat()})

        assert Conversation.objects.kept().get() == chats[0]
        for address in ("/chats/", "/chats/?archived", "/chats/?tag=hidden", "/palette", "/sidebar"):
            html = stranger.get(address).content.decode()
            assert "Secret" not in html
            assert "#hidden" not in html
            assert ">hidden<" not in html
