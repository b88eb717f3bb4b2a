"""What stands behind a link: what it shows, what it never shows, and going on with it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from chat.domain.events import (
    RunFinished,
    Source,
    SourcesFound,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from chat.domain.messages import TextPart
from chat.models import Conversation, Message, User
from chat.runtime import Runtime
from tests.web.chatting import HTMX, store_turn
from tests.web.markup import Markup
from tests.web.shared_chats import DOCUMENT, TELLS_OF_ROWS, address_of, chat_of, html_of, proof_in, shared
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]


@pytest.fixture
def chat(alice: User, runtime: Runtime) -> Conversation:
    return chat_of(alice)


@pytest.fixture
def alices(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


@pytest.fixture
def viewer() -> Client:
    """Somebody with nothing but the address."""
    return Client()


def long_chat_of(owner: User, num_turns: int) -> Conversation:
    conversation = Conversation.objects.create(owner=owner, title="Long", updated_at=timezone.now())
    for number in range(1, num_turns + 1):
        store_turn(conversation, f"Question {number}?", [TextDelta(f"Answer {number}!"), RunFinished("stop")])
    return conversation


def numbers_in(html: str) -> list[int]:
    """Of the messages on a page."""
    return [int(number) for number in re.findall(r'<article id="message-(\d+)"', html)]


class TestLongChats:
    @pytest.fixture
    def long_chat(self, alice: User, runtime: Runtime) -> Conversation:
        return long_chat_of(alice, 60)

    def test_a_copy_is_read_from_its_beginning_page_by_page(
        self, alices: Client, long_chat: Conversation, viewer: Client
    ) -> None:
        address = address_of(shared(alices, long_chat))

        pages = [viewer.get(f"{address}{query}").content.decode() for query in ("", "?from=51", "?from=101")]

        assert [numbers_in(html) for html in pages] == [
            [*range(1, 51)],
            [*range(51, 101)],
            [*range(101, 121)],
        ]
        assert f'href="{address}?from=51"' in pages[0]
        assert f'href="{address}?from=1"' in pages[1]
        assert "Show later" not in pages[2]

    def test_what_follows_comes_into_the_page(
        self, alices: Client, long_chat: Conversation, viewer: Client
    ) -> None:
        address = address_of(shared(alices, long_chat))

        more = viewer.get(f"{address}?from=51", headers=HTMX).content.decode()

        assert numbers_in(more) == [*range(51, 101)]
        assert "<html" not in more
        assert "Show earlier" not in more
        assert f'hx-get="{address}?from=101"' in more

    def test_a_chat_that_goes_on_is_watched_at_its_end(
        self, alices: Client, long_chat: Conversation, viewer: Client
    ) -> None:
        store_turn(long_chat, "And now?", [TextDelta("Writing")])
        link = shared(alices, long_chat, kind="live")

        end = html_of(viewer, link)
        before = viewer.get(f"{address_of(link)}?from=23").content.decode()

        assert numbers_in(end) == [*range(73, 123)]
        assert f'href="{address_of(link)}?from=23"' in end
        assert numbers_in(before) == [*range(23, 73)]
        assert f'"{address_of(link)}/events"' in end
        assert f'"{address_of(link)}/events?still"' in before

    def test_only_the_first_page_counts_as_a_view(
        self, alices: Client, long_chat: Conversation, viewer: Client
    ) -> None:
        link = shared(alices, long_chat)

        for query in ("", "?from=51", "?from=x", "?from=0", "?from=999"):
            assert viewer.get(f"{address_of(link)}{query}").status_code == 200

        link.refresh_from_db()
        assert link.num_views == 1


class TestPage:
    def test_only_what_was_ticked_is_shown(self, alices: Client, chat: Conversation, viewer: Client) -> None:
        bare = html_of(viewer, shared(alices, chat))
        full = html_of(viewer, shared(alices, chat, tools="on", sources="on"))

        for text in ("Is tea &lt;b&gt;good&lt;/b&gt;?", "Tea is <strong>good</strong>", "About tea"):
            assert text in bare
            assert text in full
        for text in ("secret thought", "tool says 42", "Passage about tea", "Handbook.pdf"):
            assert text not in bare
            assert text in full

    @pytest.mark.parametrize("kind", ["frozen", "live"])
    def test_nothing_tells_of_rows_or_people(
        self, alices: Client, alice: User, chat: Conversation, viewer: Client, kind: str
    ) -> None:
        link = shared(alices, chat, kind=kind, tools="on", sources="on")

        html = html_of(viewer, link)
        html = html.replace(link.token, "").replace(proof_in(html), "")

        assert not TELLS_OF_ROWS.search(html)
        for secret in (chat.pk.hex, DOCUMENT.hex, alice.username, "call-77", "/c/", "/documents/", "/links/"):
            assert secret not in html

    def test_its_headers_keep_it_to_its_readers(
        self, alices: Client, chat: Conversation, viewer: Client
    ) -> None:
        link = shared(alices, chat)

        for response in (viewer.get(address_of(link)), viewer.get("/s/unknown")):
            assert response["X-Robots-Tag"] == "noindex"
            assert response["Referrer-Policy"] == "no-referrer"
            assert response["Cache-Control"] == "no-store"
            assert "default-src 'none'" in response["Content-Security-Policy"]
        html = html_of(viewer, link)
        assert '<meta name="robots" content="noindex">' in html
        assert '<meta property="og:title" content="About tea">' in html
        assert '<meta property="og:description" content="Tea is **good**[1].">' in html

    def test_a_frozen_copy_stays_as_it_was(
        self, alices: Client, chat: Conversation, viewer: Client, runtime: Runtime
    ) -> None:
        frozen, live = shared(alices, chat), shared(alices, chat, kind="live")

        chat.title = "Renamed"
        reply = Message.objects.get(pk=chat.leaf_id)
        reply.set_content([TextPart("It grew by Continue")])
        reply.save()
        store_turn(chat, "And coffee?", [TextDelta("Too."), RunFinished("stop")])  # saves the title, too

        assert "Tea is <strong>good" in html_of(viewer, frozen)
        for news in ("Renamed", "It grew", "And coffee?"):
            assert news not in html_of(viewer, frozen)
            assert news in html_of(viewer, live)

    @pytest.mark.parametrize("kind", ["frozen", "live"])
    def test_hostile_text_does_nothing(
        self, alices: Client, chat: Conversation, viewer: Client, kind: str
    ) -> None:
        hostile = "\n\n".join(PAYLOADS.values())
        chat.title = hostile[:120]
        found = SourcesFound((Source(1, hostile, hostile),))
        call = ToolStarted("c", "clock", {"a": hostile}), ToolFinished("c", "clock", hostile, False, 1)
        store_turn(chat, hostile, [found, *call, TextDelta(hostile), RunFinished("stop")])

        page = Markup(html_of(viewer, shared(alices, chat, kind=kind, tools="on", sources="on")))

        assert page.tags().isdisjoint({"img", "iframe", "object", "embed", "style", "base"})
        for element in page.elements:
            assert not [name for name in element.attributes if name.startswith("on")]
            assert element.tag != "script" or element.attributes["src"].startswith("/static/")

    def test_views_are_those_of_others(self, alices: Client, chat: Conversation, viewer: Client) -> None:
        link = shared(alices, chat)

        viewer.get(address_of(link))
        viewer.head(address_of(link))
        viewer.get(f"{address_of(link)}?refresh=1")
        alices.get(address_of(link))

        link.refresh_from_db()
        assert link.num_views == 1


class TestContinue:
    def test_a_viewer_gets_a_copy_of_what_is_shown(
        self, alices: Client, chat: Conversation, viewer: Client
    ) -> None:
        Conversation.objects.filter(pk=chat.pk).update(system_prompt="Private instructions")
        link = shared(alices, chat)

        response = viewer.post(
            f"{address_of(link)}/continue", {"proof": proof_in(html_of(viewer, link))}, follow=True
        )

        copy = Conversation.objects.kept().exclude(pk=chat.pk).get()
        assert response.redirect_chain == [(f"/c/{copy.pk}", 303)]
        assert "Tea is <strong>good" in response.content.decode()
        assert [message.text for message in copy.path()] == ["Is tea <b>good</b>?", "Tea is **good**[1]."]
        assert (copy.system_prompt, copy.owner, copy.flow) == ("", None, None)
        assert "calculator" not in str([message.parts for message in copy.path()])

    def test_a_forged_form_makes_none(
        self, alices: Client, chat: Conversation, viewer: Client, bob: User, client_of: ClientOf
    ) -> None:
        link = shared(alices, chat)
        proof = proof_in(html_of(viewer, link))

        answers = [
            client_of(bob).post(f"{address_of(link)}/continue", {"proof": given})
            for given in (proof, "", "é")
        ]

        assert [answer.status_code for answer in answers] == [403] * 3
        assert Conversation.objects.kept().count() == 1

    def test_where_guests_must_log_in_they_may_read_but_not_continue(
        self, alices: Client, chat: Conversation, viewer: Client, settings: object
    ) -> None:
        link = shared(alices, chat)
        settings.PARLEY_ACCESS = "login"

        html = html_of(viewer, link)
        response = viewer.post(f"{address_of(link)}/continue", {"proof": proof_in(html)})

        assert response["Location"] == f"/accounts/login/?next={address_of(link)}"
        assert Conversation.objects.kept().count() == 1


def test_a_link_of_a_run_in_progress_hides_ids(alices: Client, chat: Conversation, viewer: Client) -> None:
    store_turn(chat, "More?", [TextDelta("Half an ans")])
    link = shared(alices, chat, kind="live")

    html = html_of(viewer, link)

    assert "Half an ans" in html
    assert not TELLS_OF_ROWS.search(html.replace(link.token, "").replace(proof_in(html), ""))
    assert 'http-equiv="refresh"' in html
