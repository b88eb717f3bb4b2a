"""Links by which anybody may read a conversation: who makes and closes them, and who gets in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from chat.models import Conversation, ShareLink, User
from chat.runtime import Runtime
from tests.web.chatting import HTMX
from tests.web.markup import Markup
from tests.web.shared_chats import address_of, chat_of, html_of, shared

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


class TestOwner:
    def test_the_dialog_gives_the_address_and_a_code_of_it(self, alices: Client, chat: Conversation) -> None:
        form = alices.get(f"/c/{chat.pk}/share", headers=HTMX).content.decode()
        made = alices.post(f"/c/{chat.pk}/share", {"kind": "live"}, headers=HTMX).content.decode()

        assert "Create link" in form
        link = ShareLink.objects.get()
        assert len(link.token) == 43  # 256 bits
        assert Markup(made).first("input").attributes["value"] == f"http://testserver{address_of(link)}"
        assert "<svg" in made
        assert f"/links/{link.pk}/revoke" in made

    def test_without_scripts_there_are_pages(self, alices: Client, chat: Conversation) -> None:
        assert "Create link" in alices.get(f"/c/{chat.pk}/share").content.decode()

        link = shared(alices, chat, days="7")

        assert address_of(link) in alices.get(f"/links/{link.pk}").content.decode()
        listed = alices.get("/links/").content.decode()
        assert address_of(link) in listed
        assert "About tea" in listed
        assert link.expires_at is not None
        assert abs(link.expires_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=5)

    def test_what_the_form_does_not_offer_is_refused(self, alices: Client, chat: Conversation) -> None:
        for fields in ({"kind": "open"}, {"kind": "frozen", "days": "999"}, {"password": "x"}):
            assert alices.post(f"/c/{chat.pk}/share", fields).status_code == 200
        assert not ShareLink.objects.exists()

    def test_an_outsider_reaches_none_of_it(
        self, alices: Client, chat: Conversation, charlie: User, client_of: ClientOf
    ) -> None:
        link = shared(alices, chat)
        for outsider in (client_of(charlie), Client()):
            assert outsider.get(f"/c/{chat.pk}/share").status_code == 404
            assert outsider.post(f"/c/{chat.pk}/share", {"kind": "frozen"}).status_code == 404
            assert outsider.get(f"/links/{link.pk}").status_code == 404
            assert outsider.post(f"/links/{link.pk}/revoke").status_code == 404
            assert link.token not in outsider.get("/links/").content.decode()
        assert ShareLink.objects.open().count() == 1

    def test_the_admin_sees_no_whole_token(
        self, alices: Client, chat: Conversation, bob: User, client_of: ClientOf
    ) -> None:
        link = shared(alices, chat, password="open sesame")
        User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
        admin = client_of(bob)

        pages = [admin.get(f"/admin/chat/sharelink/{part}") for part in ("", f"{link.pk}/change/")]

        for page in pages:
            assert page.status_code == 200
            assert link.token[:6] in page.content.decode()
            assert link.token[:12] not in page.content.decode()
            assert link.password not in page.content.decode()


class TestClosed:
    def test_revoked_expired_deleted_and_unknown_are_one(
        self, alices: Client, chat: Conversation, viewer: Client
    ) -> None:
        revoked, expired, deleted = shared(alices, chat), shared(alices, chat), shared(alices, chat)
        assert alices.post(f"/links/{revoked.pk}/revoke").status_code == 303
        ShareLink.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

        answers = [
            viewer.get(f"/s/{'x' * 43}"),
            viewer.get(address_of(revoked)),
            viewer.get(address_of(expired)),
        ]
        assert viewer.get(address_of(deleted)).status_code == 200
        alices.post(f"/c/{chat.pk}/delete")
        answers.append(viewer.get(address_of(deleted)))

        assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
        for link in (revoked, expired, deleted):
            assert viewer.get(f"{address_of(link)}/events").status_code == 404
            assert viewer.post(f"{address_of(link)}/continue").status_code == 404
            assert viewer.post(address_of(link)).status_code == 404

    def test_it_is_for_reading_only(self, alices: Client, chat: Conversation, viewer: Client) -> None:
        link = shared(alices, chat)

        for method in ("put", "patch", "delete"):
            assert getattr(viewer, method)(address_of(link)).status_code == 405
        assert viewer.post(f"{address_of(link)}/events").status_code == 405
        assert viewer.get(f"{address_of(link)}/continue").status_code == 405


class TestPassword:
    def test_nothing_is_shown_before_it(self, alices: Client, chat: Conversation, viewer: Client) -> None:
        link = shared(alices, chat, password="open sesame")
        other = shared(alices, chat, password="open sesame")

        asked = html_of(viewer, link)
        wrong = viewer.post(address_of(link), {"password": "open"})

        assert "tea" not in asked.lower()
        assert (wrong.status_code, "tea" in wrong.content.decode().lower()) == (403, False)
        assert viewer.get(f"{address_of(link)}/events").status_code == 404
        assert viewer.post(f"{address_of(link)}/continue").status_code == 404
        assert viewer.post(address_of(link), {"password": "open sesame"}).status_code == 303
        assert "Tea is" in html_of(viewer, link)
        assert "Tea is" not in html_of(viewer, other)
        assert "open sesame" not in link.password
        link.refresh_from_db()
        assert link.num_views == 1

    def test_it_cannot_be_guessed_by_trying(
        self, alices: Client, chat: Conversation, viewer: Client, still_clock: None
    ) -> None:
        link = shared(alices, chat, password="open sesame")

        statuses = [viewer.post(address_of(link), {"password": "x"}).status_code for _ in range(12)]

        assert statuses == [403] * 10 + [429] * 2
        assert viewer.post(address_of(link), {"password": "open sesame"}).status_code == 429
        assert html_of(viewer, link)
