"""Forgotten passwords, where mail can be sent."""

from __future__ import annotations

import importlib
import re
import types
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import include, path

import chat.urls
import chat.web.accounts
from chat.models import User

NEW = "another-long-password"


@pytest.fixture(autouse=True)
def with_mail(settings: Any, transactional_db: None) -> Iterator[None]:
    """As if started with PARLEY_MAIL_SERVER."""
    cache.clear()
    settings.EMAIL_HOST = "mail.test"
    settings.ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
    site = types.ModuleType("site_with_mail")
    accounts = include(importlib.reload(chat.web.accounts))
    site.urlpatterns = [path("accounts/", accounts), *chat.urls.urlpatterns]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = site
    yield
    settings.EMAIL_HOST = ""
    importlib.reload(chat.web.accounts)


def ask_for_a_link(address: str) -> Any:
    return Client().post("/accounts/password/reset/", {"email": address}, follow=True)


@pytest.fixture
def dora() -> User:
    return User.objects.create_user("dora", "dora@mail.test", "a-long-password-5")


def test_the_login_page_offers_it() -> None:
    assert b'href="/accounts/password/reset/"' in Client().get("/accounts/login/").content


def test_signing_up_asks_for_an_address_but_needs_none() -> None:
    browser = Client()
    assert b'name="email"' in browser.get("/accounts/signup/").content

    browser.post("/accounts/signup/", {"username": "erik", "password1": NEW, "password2": NEW})

    assert User.objects.get().username == "erik"


def test_a_link_by_mail_sets_a_new_password_once(dora: User) -> None:
    ask_for_a_link("dora@mail.test")
    (letter,) = mail.outbox
    (link,) = re.findall(r"/accounts/password/reset/key/\S+", letter.body)

    browser = Client()
    form = browser.get(link, follow=True)
    browser.post(form.request["PATH_INFO"], {"password1": NEW, "password2": NEW})

    dora.refresh_from_db()
    assert dora.check_password(NEW)
    assert b"This link no longer works" in Client().get(link, follow=True).content


def test_an_unknown_address_gets_the_same_answer(dora: User) -> None:
    known, unknown = ask_for_a_link("dora@mail.test"), ask_for_a_link("nobody@mail.test")

    assert known.content == unknown.content
    assert [letter.to for letter in mail.outbox] == [["dora@mail.test"]]


@pytest.mark.parametrize("token", ["null", "", "[]", "0-0", "1-set-password", "a" * 500])
def test_an_invented_link_opens_nothing(dora: User, token: str) -> None:
    response = Client().get(f"/accounts/password/reset/key/{token}/", follow=True)

    assert b'name="password1"' not in response.content
