"""Finding messages and chats by words: what is found, by whom, how it is shown, and where it leads."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import Actor, Conversation, Message, User
from chat.runs.message_words import index_messages, search_messages
from chat.runtime import Runtime
from tests.web.chatting import HTMX, finished_chat

ClientOf = Callable[[User], Client]


def said(actor: Actor, *texts: str, title: str = "Chat") -> Conversation:
    """A conversation in which these things were said."""
    chat = Conversation.objects.create(title=title, updated_at=timezone.now(), **actor.ownership)
    parent = None
    for number, text in enumerate(texts):
        parent = Message.objects.create(
            conversation=chat,
            parent=parent,
            role=Message.Role.ASSISTANT if number % 2 else Message.Role.USER,
            parts=[{"kind": "text", "text": text}],
        )
        index_messages([parent])
    chat.leaf = parent
    chat.save()
    return chat


def snippets(actor: Actor, query: str) -> list[str]:
    return [hit.snippet for hit in search_messages(actor, query)]


class TestWords:
    @pytest.mark.parametrize(
        ("text", "query", "marked"),
        [
            ("The harbour of Genoa", "genoa", "<mark>Genoa</mark>"),
            ("The harbour of Genoa", "harb", "<mark>harbour</mark>"),
            ("The harbour of Genoa", "harbour gen", "<mark>harbour</mark> of <mark>Genoa</mark>"),
            ("Un café noir", "cafe", "<mark>café</mark>"),
            ("我们的数据库很大", "数据库", "<mark>数据</mark>"),
            ("我们的数据库很大", "数", "<mark>数</mark>"),
            ("Error E17 in px_total", "px_total", "<mark>total</mark>"),
            ("How to get there", "how to", "<mark>How to</mark>"),
        ],
    )
    def test_they_are_found_as_one_types(
        self, alices_actor: Actor, text: str, query: str, marked: str
    ) -> None:
        said(alices_actor, text)
        said(alices_actor, "Something else")

        assert [marked in snippet for snippet in snippets(alices_actor, query)] == [True]

    def test_all_words_must_be_in_one_message(self, alices_actor: Actor) -> None:
        said(alices_actor, "The harbour", "of Genoa")

        assert snippets(alices_actor, "harbour genoa") == []

    def test_the_message_that_says_it_more_often_comes_first(self, alices_actor: Actor) -> None:
        said(alices_actor, "A boat, a boat, my boat for a boat")
        said(alices_actor, "There was a boat among very many other things that were said here at length")

        assert "my" in snippets(alices_actor, "boat")[0]

    def test_what_was_written_is_not_markup(self, alices_actor: Actor) -> None:
        said(alices_actor, "<script>alert(1)</script> & <b>harbour</b>")

        [snippet] = snippets(alices_actor, "harbour")

        assert (
            snippet == "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;<mark>harbour</mark>&lt;/b&gt;"
        )

    @pytest.mark.parametrize(
        "query",
        ['"', "a OR", "NEAR(", "words:x", "*", "-", "(", "'; DROP", "\x00", "😀", "x" * 5000, "AND NOT", " "],
    )
    def test_any_text_may_be_asked_for(self, alices_actor: Actor, query: str) -> None:
        said(alices_actor, "Something")

        assert snippets(alices_actor, query) == []

    def test_a_deleted_chat_is_not_found_an_archived_one_is(self, alices_actor: Actor) -> None:
        chat = said(alices_actor, "The harbour")
        Conversation.objects.update(archived_at=timezone.now())
        assert len(snippets(alices_actor, "harbour")) == 1

        Conversation.objects.update(deleted_at=timezone.now())

        assert snippets(alices_actor, "harbour") == []
        chat.delete()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM chat_message_words")
            assert cursor.fetchone() == (0,)


class TestOwners:
    def test_nobody_finds_what_others_said(self, alices_actor: Actor, bob: User) -> None:
        said(alices_actor, "The harbour")

        assert snippets(Actor(user=bob), "harbour") == []
        assert snippets(Actor(guest_key=uuid.uuid4()), "harbour") == []
        assert snippets(Actor(), "harbour") == []

    def test_what_a_guest_said_is_found_by_the_account(
        self, runtime: Runtime, client: Client, alice: User
    ) -> None:
        client.get("/")
        finished_chat(client, "The harbour of Genoa")
        client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        client.get("/")

        assert len(snippets(Actor(user=alice), "harbour")) == 1


class TestFreshWords:
    def test_questions_answers_edits_and_forks_are_found(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        browser, actor = client_of(alice), Actor(user=alice)
        chat = finished_chat(browser, "The harbour").conversation
        _question, answer = chat.path()

        browser.post(f"/messages/{answer.pk}/edit", {"text": "A lighthouse"})
        edited = chat.messages.get(pk__gt=answer.pk)
        browser.post(f"/messages/{edited.pk}/fork")

        assert len(snippets(actor, "harbour")) == 2
        assert len(snippets(actor, "lighthouse")) == 2
        with connection.cursor() as cursor:
            cursor.execute("SELECT words FROM chat_message_words WHERE rowid = %s", [answer.pk])
            assert cursor.fetchone()[0].split()


class TestPages:
    def test_titles_and_messages_are_found(
        self, runtime: Runtime, alices_actor: Actor, alice: User, client_of: ClientOf
    ) -> None:
        chat = said(alices_actor, "We sailed", "to the harbour <now>", title="Harbour plans")
        browser = client_of(alice)

        fragment = browser.get("/search?q=harb", headers=HTMX).content.decode()
        page = browser.get("/chats/?q=harb").content.decode()

        for html in (fragment, page):
            assert "<mark>Harbour</mark> plans" in html
            assert "to the <mark>harbour</mark> &lt;now&gt;" in html
            assert f'href="/c/{chat.pk}?at={chat.leaf_id}#message-{chat.leaf_id}"' in html
        assert "2 found" in fragment

    def test_no_words_find_nothing(self, runtime: Runtime, alice: User, client_of: ClientOf) -> None:
        assert "Nothing found" not in client_of(alice).get("/search?q=+", headers=HTMX).content.decode()

    @pytest.mark.parametrize("address", ["/search?q=", "/chats/?q=", "/palette/found?q="])
    def test_an_outsider_finds_nothing(
        self, runtime: Runtime, alices_actor: Actor, charlie: User, client_of: ClientOf, address: str
    ) -> None:
        said(alices_actor, "The secret harbour", title="Secret harbour")

        for stranger in (client_of(charlie), Client()):
            response = stranger.get(f"{address}harbour")
            assert response.status_code == 200
            assert b"ecret" not in response.content

    def test_the_number_of_queries_does_not_depend_on_what_is_found(
        self, runtime: Runtime, alices_actor: Actor, alice: User, client_of: ClientOf
    ) -> None:
        browser, counts = client_of(alice), []
        for num_chats in (1, 30):
            for _ in range(num_chats):
                said(alices_actor, "The harbour", title="A harbour")
            with CaptureQueriesContext(connection) as queries:
                browser.get("/search?q=harbour")
            counts.append(len(queries))

        assert counts[0] == counts[1]


class TestPlaces:
    def test_a_message_on_another_branch_is_shown_and_nothing_changes(
        self, runtime: Runtime, alices_actor: Actor, alice: User, client_of: ClientOf
    ) -> None:
        chat = said(alices_actor, "First words", "First answer")
        other = Message.objects.create(
            conversation=chat, role="user", parts=[{"kind": "text", "text": "Other words"}]
        )
        browser = client_of(alice)

        html = browser.get(f"/c/{chat.pk}?at={other.pk}").content.decode()

        assert "Other words" in html.split('id="log"')[1]
        assert "First answer" not in html.split('id="log"')[1]
        assert f'action="/messages/{other.pk}/show"' in html
        leaf_id = chat.leaf_id
        chat.refresh_from_db()
        assert chat.leaf_id == leaf_id

    def test_a_message_long_ago_is_shown_with_all_that_follows(
        self, runtime: Runtime, alices_actor: Actor, alice: User, client_of: ClientOf
    ) -> None:
        chat = said(alices_actor, *(f"Turn number {n}." for n in range(70)))
        ids = chat.path_ids()

        html = client_of(alice).get(f"/c/{chat.pk}?at={ids[5]}").content.decode()

        assert f'id="message-{ids[5]}"' in html
        assert "Turn number 69." in html
        assert "Back to the newest" not in html

    def test_a_message_of_another_chat_is_not_shown(
        self, runtime: Runtime, alices_actor: Actor, bob: User, client_of: ClientOf
    ) -> None:
        secret = said(alices_actor, "The secret")
        own = said(Actor(user=bob), "My words")

        html = client_of(bob).get(f"/c/{own.pk}?at={secret.leaf_id}").content.decode()

        assert "The secret" not in html
        assert "My words" in html
