"""Being forgotten: what goes, what stays, and who cannot leave."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.sessions.models import Session
from django.test import Client

from chat.models import (
    ApiKey,
    AuditEntry,
    Collection,
    Conversation,
    Document,
    Feedback,
    LoggedEvent,
    Message,
    Placement,
    Run,
    ShareLink,
    User,
)
from chat.runtime import Runtime
from tests.conftest import long_answers
from tests.web.chatting import start_chat
from tests.web.test_export import a_chat

ClientOf = Callable[[User], Client]
PASSWORD = {"password": "a-long-password-1"}


def with_document(chat: Conversation) -> None:
    document = Document.objects.create(filename="a.txt", sha256="0" * 64, num_bytes=1, status="ready")
    collection = Collection.objects.create(owner=chat.owner, guest_key=chat.guest_key, conversation=chat)
    Placement.objects.create(collection=collection, document=document)


class TestAccount:
    def test_everything_goes(self, runtime: Runtime, alice: User, client_of: ClientOf) -> None:
        chat, browser, phone = a_chat(alice), client_of(alice), client_of(alice)
        with_document(chat)
        ApiKey.objects.issue(alice, "Shop")
        ShareLink.objects.create(conversation=chat, leaf=chat.leaf)

        response = browser.post("/account/delete", PASSWORD)

        assert (response.status_code, response["Location"]) == (303, "/")
        rows = (
            User,
            Conversation,
            Message,
            Run,
            LoggedEvent,
            Feedback,
            ShareLink,
            ApiKey,
            Collection,
            Document,
        )
        assert {model.__name__: model.objects.count() for model in rows} == {
            model.__name__: 0 for model in rows
        }
        assert not Session.objects.exists()
        assert phone.get(f"/c/{chat.pk}").status_code == 404

    def test_what_others_have_stays(
        self, runtime: Runtime, alice: User, bob: User, client_of: ClientOf
    ) -> None:
        chat = a_chat(bob)
        with_document(chat)
        bobs = client_of(bob)

        client_of(alice).post("/account/delete", PASSWORD)

        assert (User.objects.get(), Conversation.objects.get(), Document.objects.count()) == (bob, chat, 1)
        assert bobs.get(f"/c/{chat.pk}").status_code == 200

    def test_the_audit_log_stays_without_the_account(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        AuditEntry.objects.create(actor=alice, actor_name="alice", action="read")

        client_of(alice).post("/account/delete", PASSWORD)

        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.actor_name) == (None, "alice")

    def test_it_takes_the_password(
        self, runtime: Runtime, alice: User, bob: User, client_of: ClientOf, still_clock: None
    ) -> None:
        client = client_of(alice)

        for form in ({}, {"password": "wrong"}, {"password": "a-long-password-2"}):
            assert client.post("/account/delete", form).status_code == 200
        pages = [client.post("/account/delete", {"password": "wrong"}) for _ in range(4)]

        assert pages[-1].status_code == 429
        assert User.objects.filter(pk=alice.pk).exists()

    def test_looking_at_the_page_deletes_nothing(self, alice: User, client_of: ClientOf) -> None:
        html = client_of(alice).get("/account/delete").content.decode()

        assert "Delete my account" in html
        assert User.objects.filter(pk=alice.pk).exists()

    @long_answers
    def test_an_answer_that_is_being_written_stops_first(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        start_chat(client)

        assert client.post("/account/delete", PASSWORD).status_code == 303
        assert not User.objects.exists()
        assert not Run.objects.exists()

    def test_the_only_administrator_cannot_leave(
        self, runtime: Runtime, alice: User, bob: User, client_of: ClientOf
    ) -> None:
        User.objects.filter(pk=alice.pk).update(is_superuser=True)
        client = client_of(alice)

        for response in (client.get("/account/delete"), client.post("/account/delete", PASSWORD)):
            assert response.status_code == 403
            assert "You are the only administrator" in response.content.decode()
        User.objects.filter(pk=bob.pk).update(is_superuser=True)
        assert client.post("/account/delete", PASSWORD).status_code == 303
        assert User.objects.get() == bob


class TestGuest:
    def test_a_guest_is_forgotten(self, runtime: Runtime, bob: User, client: Client) -> None:
        client.get("/")
        start_chat(client)
        a_chat(bob)
        with_document(Conversation.objects.get(owner=None))

        assert "Forget me" in client.get("/account/delete").content.decode()
        response = client.post("/account/delete")

        assert response.status_code == 303
        assert response.cookies["parley_guest"].value == ""
        assert Conversation.objects.get().owner == bob
        assert not Document.objects.exists()

    def test_without_open_access_the_pages_ask_for_a_login(
        self, transactional_db: None, client: Client, settings: object
    ) -> None:
        settings.PARLEY_ACCESS = "login"

        for path in ("/account/data", "/account/delete", "/account/export.json", "/account/export.zip"):
            assert client.get(path)["Location"].startswith("/accounts/login/?next=")
