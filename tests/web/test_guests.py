"""Visitors without an account: their cookie, their chats, and what becomes of both when they sign up or log in."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat.http.actor import guest_cookie_name
from chat.models import Conversation, Message, Run, RunStatus, User

NAME = "parley_guest"
PASSWORD = "correct-horse-battery"


@pytest.fixture
def guest(transactional_db: None) -> Client:
    """A browser that has opened the page once."""
    browser = Client()
    browser.get(reverse("account_login"))
    return browser


def key_of(browser: Client) -> uuid.UUID:
    """The guest key that the server knows this browser by."""
    response = browser.get(reverse("account_login"))
    return response.wsgi_request.actor.guest_key


def chat_of(browser: Client) -> Conversation:
    return Conversation.objects.create(guest_key=key_of(browser), title="Mine", updated_at=timezone.now())


def sign_up(browser: Client, username: str = "dora") -> Any:
    form = {"username": username, "password1": PASSWORD, "password2": PASSWORD}
    return browser.post(reverse("account_signup"), form, follow=True)


def test_the_first_page_gives_a_cookie_that_scripts_cannot_read(transactional_db: None) -> None:
    cookie = Client().get(reverse("account_login")).cookies[NAME]

    assert cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"], cookie["secure"]) == ("Lax", "/", "")
    assert cookie["max-age"] == 365 * 24 * 3600


def test_with_tls_the_browser_binds_the_cookie_to_the_host(transactional_db: None, settings: Any) -> None:
    settings.PARLEY_HTTPS = True

    cookie = Client().get(reverse("account_login"), secure=True).cookies["__Host-parley_guest"]

    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


def test_a_guest_stays_the_same_guest(guest: Client) -> None:
    first = key_of(guest)

    response = guest.get(reverse("account_login"))

    assert response.wsgi_request.actor.guest_key == first
    assert NAME not in response.cookies


def test_a_forged_cookie_makes_a_new_guest(guest: Client) -> None:
    mine = key_of(guest)
    forger = Client()
    forger.cookies[NAME] = f"{mine.hex}:1wXyz0:{'A' * 43}"

    response = forger.get(reverse("account_login"))

    assert response.wsgi_request.actor.guest_key != mine
    assert NAME in response.cookies


def test_a_cookie_of_another_purpose_is_no_guest_cookie(guest: Client, settings: Any) -> None:
    from django.core.signing import get_cookie_signer

    forger = Client()
    forger.cookies[NAME] = get_cookie_signer(salt="other").sign(uuid.uuid4().hex)

    assert NAME in forger.get(reverse("account_login")).cookies


def test_an_old_cookie_is_renewed_with_the_same_key(guest: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = key_of(guest)
    monkeypatch.setattr("chat.http.actor.RENEW_AFTER_S", -1)

    response = guest.get(reverse("account_login"))

    assert response.wsgi_request.actor.guest_key == mine
    assert NAME in response.cookies


def test_answers_that_are_no_pages_set_no_cookie(transactional_db: None) -> None:
    assert Client().get("/health/ready").cookies == {}
    assert Client().get("/nowhere").cookies == {}


def test_a_guest_who_signs_up_keeps_the_chats(guest: Client) -> None:
    chat = chat_of(guest)

    sign_up(guest)

    chat.refresh_from_db()
    assert (chat.owner.username, chat.guest_key) == ("dora", None)


def test_a_guest_who_logs_in_keeps_the_chats(guest: Client, alice: User) -> None:
    chat = chat_of(guest)

    guest.post(reverse("account_login"), {"login": "alice", "password": "a-long-password-1"}, follow=True)

    chat.refresh_from_db()
    assert chat.owner == alice


def test_a_guest_who_signs_up_in_mid_answer_keeps_it(guest: Client) -> None:
    chat = chat_of(guest)
    reply = Message.objects.create(conversation=chat, role=Message.Role.ASSISTANT)
    run = Run.objects.create(conversation=chat, reply=reply, status=RunStatus.RUNNING)

    sign_up(guest)

    assert guest.get(reverse("conversation", args=[chat.pk])).status_code == 200
    run.refresh_from_db()
    assert run.is_live


def test_the_guest_cookie_goes_with_the_chats(guest: Client) -> None:
    chat = chat_of(guest)
    stolen = guest.cookies[NAME].value
    sign_up(guest)

    assert guest.cookies[NAME].value == ""
    thief = Client()
    thief.cookies[NAME] = stolen
    assert thief.get(reverse("conversation", args=[chat.pk])).status_code == 404


def test_after_a_logout_one_is_a_new_guest(guest: Client) -> None:
    chat = chat_of(guest)
    before = key_of(guest)
    sign_up(guest)

    guest.post(reverse("account_logout"))

    assert key_of(guest) not in (before, None)
    assert guest.get(reverse("conversation", args=[chat.pk])).status_code == 404


def test_signing_up_takes_nobody_elses_chats(guest: Client, alice: User) -> None:
    other = Client()
    others = chat_of(other)
    alices = Conversation.objects.create(owner=alice, updated_at=timezone.now())

    sign_up(guest)

    others.refresh_from_db()
    alices.refresh_from_db()
    assert others.guest_key is not None
    assert alices.owner == alice


def test_a_guest_sees_nothing_of_another_guest(guest: Client) -> None:
    chat = chat_of(guest)

    assert Client().get(reverse("conversation", args=[chat.pk])).status_code == 404


def test_an_account_that_is_switched_off_is_a_guest_at_once(
    alice: User, client_of: Callable[[User], Client]
) -> None:
    chat = Conversation.objects.create(owner=alice, updated_at=timezone.now())
    browser = client_of(alice)
    assert browser.get(reverse("conversation", args=[chat.pk])).status_code == 200

    User.objects.update(is_active=False)

    assert browser.get(reverse("conversation", args=[chat.pk])).status_code == 404


class TestWithAccessByLoginOnly:
    @pytest.fixture(autouse=True)
    def login_only(self, settings: Any, transactional_db: None) -> None:
        settings.PARLEY_ACCESS = "login"

    def test_a_page_leads_to_the_login_and_back(self) -> None:
        response = Client().get("/c/0b2b3b7e-6a86-4b77-b4f5-1f0a6f8f3c11?x=1")

        target = "/accounts/login/?next=%2Fc%2F0b2b3b7e-6a86-4b77-b4f5-1f0a6f8f3c11%3Fx%3D1"
        assert (response.status_code, response["Location"]) == (302, target)

    def test_htmx_is_sent_to_the_login_as_a_whole(self) -> None:
        response = Client().get("/sidebar", headers={"HX-Request": "true"})

        assert (response.status_code, response["HX-Redirect"]) == (401, "/accounts/login/")

    def test_programs_are_told_401(self) -> None:
        response = Client().get("/sidebar", headers={"Accept": "application/json"})

        assert (response.status_code, response.json()["error"]["code"]) == (401, "not_allowed")

    def test_a_stream_is_told_401(self) -> None:
        assert Client().get("/runs/1/events", headers={"Accept": "text/event-stream"}).status_code == 401

    def test_posting_begins_nothing(self) -> None:
        response = Client().post("/", {"text": "hello"})

        assert (response.status_code, Conversation.objects.count()) == (302, 0)

    @pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/", "/health/ready"])
    def test_what_one_needs_to_come_in_stays_open(self, path: str) -> None:
        assert Client().get(path).status_code in (200, 503)

    def test_visitors_get_no_guest_cookie(self) -> None:
        assert guest_cookie_name() not in Client().get("/accounts/login/").cookies

    def test_an_account_comes_in(self, alice: User, client_of: Callable[[User], Client]) -> None:
        assert client_of(alice).get("/").status_code == 200
