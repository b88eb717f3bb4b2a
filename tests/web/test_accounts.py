"""Accounts: signing up, logging in and out, the first administrator, and what attackers try there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse

from chat.http.first_admin import issue_setup_path, withdraw_setup_link
from chat.models import User

PASSWORD = "correct-horse-battery"
ALICES = "a-long-password-1"


@pytest.fixture(autouse=True)
def fresh_rate_limits(transactional_db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def browser() -> Client:
    return Client()


def log_in(browser: Client, name: str = "alice", password: str = ALICES, **more: str) -> Any:
    return browser.post(reverse("account_login"), {"login": name, "password": password, **more})


def sign_up(browser: Client, name: str = "dora", password: str = PASSWORD) -> Any:
    form = {"username": name, "password1": password, "password2": password}
    return browser.post(reverse("account_signup"), form)


def test_signing_up_asks_for_a_name_and_a_password_only(browser: Client) -> None:
    html = browser.get(reverse("account_signup")).content.decode()

    assert sorted(re.findall(r'<input[^>]* name="(\w+)"', html)) == [
        "csrfmiddlewaretoken",
        "password1",
        "password2",
        "username",
    ]


def test_signing_up_logs_in(browser: Client) -> None:
    response = sign_up(browser)

    assert (response.status_code, response["Location"]) == (302, "/")
    assert browser.get("/").wsgi_request.actor.user.username == "dora"


def test_signing_up_can_be_closed(browser: Client, settings: Any) -> None:
    settings.PARLEY_SIGNUP = "closed"

    response = sign_up(browser)

    assert b"Sign-up is closed" in response.content
    assert User.objects.count() == 0
    assert b"Sign up" not in browser.get(reverse("account_login")).content


def test_fields_that_the_form_does_not_have_are_ignored(browser: Client) -> None:
    form = {"username": "dora", "password1": PASSWORD, "password2": PASSWORD}
    browser.post(reverse("account_signup"), {**form, "is_staff": "1", "is_superuser": "1", "id": "99"})

    dora = User.objects.get()
    assert (dora.is_staff, dora.is_superuser) == (False, False)
    assert dora.pk != 99


@pytest.mark.parametrize("password", ["short", "password123", "12345678"])
def test_an_easy_password_is_refused(browser: Client, password: str) -> None:
    sign_up(browser, password=password)

    assert User.objects.count() == 0


def test_logging_in_changes_the_session_key(browser: Client, alice: User) -> None:
    browser.cookies["sessionid"] = "a" * 32

    log_in(browser)

    assert browser.cookies["sessionid"].value != "a" * 32


def test_a_wrong_password_says_no_more_than_that(browser: Client, alice: User) -> None:
    wrong = log_in(browser, password="wrong")
    nobody = log_in(browser, name="nobody")

    errors = [
        re.findall(r'class="errorlist[^>]*>.*?</ul>', each.content.decode()) for each in (wrong, nobody)
    ]
    assert errors[0] == errors[1] != []


def test_guessing_passwords_is_stopped(browser: Client, alice: User) -> None:
    for _ in range(6):
        log_in(browser, password="wrong")

    response = log_in(browser)

    assert response.status_code == 200
    assert "_auth_user_id" not in browser.session


def test_many_logins_a_minute_are_429(browser: Client) -> None:
    statuses = [log_in(browser, name=f"nobody{number}").status_code for number in range(35)]

    assert statuses[-1] == 429
    assert b"Too many tries" in log_in(browser).content


def test_an_address_in_a_header_does_not_dodge_the_limit(browser: Client) -> None:
    for number in range(31):
        response = browser.post(
            reverse("account_login"),
            {"login": f"nobody{number}", "password": "x"},
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
        )

    assert response.status_code == 429


@pytest.mark.parametrize(
    "target", ["https://evil.test/", "//evil.test/", "javascript:alert(1)", "/\\evil.test"]
)
def test_the_login_leads_to_no_other_site(browser: Client, alice: User, target: str) -> None:
    assert log_in(browser, next=target)["Location"] == "/"


def test_the_login_leads_back_to_where_one_was(browser: Client, alice: User) -> None:
    assert log_in(browser, next="/sidebar")["Location"] == "/sidebar"


def test_logging_out_needs_a_post(alice: User, client_of: Callable[[User], Client]) -> None:
    browser = client_of(alice)

    browser.get(reverse("account_logout"))
    assert "_auth_user_id" in browser.session

    browser.post(reverse("account_logout"))
    assert "_auth_user_id" not in browser.session


def test_changing_the_password_needs_the_old_one(alice: User, client_of: Callable[[User], Client]) -> None:
    browser = client_of(alice)
    new = {"password1": PASSWORD, "password2": PASSWORD}

    browser.post(reverse("account_change_password"), {"oldpassword": "wrong", **new})
    alice.refresh_from_db()
    assert alice.check_password(ALICES)

    response = browser.post(reverse("account_change_password"), {"oldpassword": ALICES, **new})
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert response["Location"] == "/"


def test_changing_the_password_ends_the_other_sessions(
    alice: User, client_of: Callable[[User], Client]
) -> None:
    here, elsewhere = client_of(alice), client_of(alice)
    new = {"password1": PASSWORD, "password2": PASSWORD}

    here.post(reverse("account_change_password"), {"oldpassword": ALICES, **new})

    assert elsewhere.get("/").wsgi_request.actor.user is None


def test_a_guest_cannot_change_a_password(browser: Client) -> None:
    response = browser.get(reverse("account_change_password"))

    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/accounts/login/")


def test_without_mail_there_is_no_password_reset(browser: Client) -> None:
    with pytest.raises(NoReverseMatch):
        reverse("account_reset_password")
    assert browser.get("/accounts/password/reset/").status_code == 404


@pytest.mark.parametrize(
    "path", ["email/", "confirm-email/", "login/code/confirm/", "3rdparty/", "password/set/"]
)
def test_pages_that_nothing_leads_to_do_not_exist(browser: Client, path: str) -> None:
    assert browser.get(f"/accounts/{path}").status_code == 404


@pytest.mark.parametrize(
    "name", ["account_login", "account_signup", "account_change_password", "account_logout"]
)
def test_account_pages_need_nothing_from_elsewhere(
    alice: User, client_of: Callable[[User], Client], browser: Client, name: str
) -> None:
    visitor = browser if name in ("account_login", "account_signup") else client_of(alice)
    html = visitor.get(reverse(name)).content.decode()

    assert "<h1>" in html
    assert re.findall(r"(?:https?:)?//[\w.]+", html) == []
    assert "<script" not in html
    assert "style=" not in html


def test_forms_are_refused_without_a_token(alice: User) -> None:
    response = log_in(Client(enforce_csrf_checks=True))

    assert response.status_code == 403
    assert b"The page was too old" in response.content


class TestTheFirstAdmin:
    @pytest.fixture(autouse=True)
    def data_folder(self, settings: Any, tmp_path: Any) -> None:
        settings.PARLEY_DATA_DIR = tmp_path

    def make(self, browser: Client, path: str, name: str = "root", password: str = PASSWORD) -> Any:
        return browser.post(path, {"username": name, "password": password})

    def test_the_link_makes_an_administrator_and_logs_in(self, browser: Client) -> None:
        response = self.make(browser, issue_setup_path())

        admin = User.objects.get()
        assert (admin.username, admin.is_staff, admin.is_superuser) == ("root", True, True)
        assert (response.status_code, response["Location"]) == (302, "/")
        assert browser.get("/admin/").status_code == 200

    def test_the_link_works_once(self, browser: Client) -> None:
        path = issue_setup_path()
        self.make(browser, path)

        assert Client().get(path).status_code == 404
        assert self.make(Client(), path, name="second").status_code == 404
        assert User.objects.count() == 1

    def test_of_many_at_once_one_wins(self) -> None:
        path = issue_setup_path()

        def rush(number: int) -> int:
            return self.make(Client(), path, name=f"admin{number}").status_code

        with ThreadPoolExecutor(4) as pool:
            statuses = sorted(pool.map(rush, range(4)))

        assert statuses == [302, 404, 404, 404]
        assert User.objects.count() == 1

    def test_a_new_link_ends_the_one_before(self, browser: Client) -> None:
        old, new = issue_setup_path(), issue_setup_path()

        assert browser.get(old).status_code == 404
        assert browser.get(new).status_code == 200

    def test_a_withdrawn_link_is_dead(self, browser: Client) -> None:
        path = issue_setup_path()

        withdraw_setup_link()

        assert browser.get(path).status_code == 404

    def test_there_is_no_link_while_there_is_an_administrator(self, browser: Client) -> None:
        path = issue_setup_path()
        User.objects.create_superuser("boss", password=PASSWORD)

        assert browser.get(path).status_code == 404

    def test_wrong_tokens_are_not_found(self, browser: Client) -> None:
        path = issue_setup_path()

        for wrong in (path[:-1], path + "A", "/setup/" + "A" * 43, "/setup/null", "/setup/%00"):
            assert browser.get(wrong).status_code == 404

    def test_the_token_is_nowhere_on_the_disk(self, tmp_path: Any) -> None:
        token = issue_setup_path().rsplit("/", 1)[1]

        files = [path for path in tmp_path.iterdir() if path.is_file()]
        assert len(token) == 43  # 256 bits
        assert files
        assert all(token not in path.read_text() for path in files)
        assert all(path.stat().st_mode & 0o077 == 0 for path in files)

    def test_an_easy_password_is_told_and_the_link_lives_on(self, browser: Client) -> None:
        path = issue_setup_path()

        response = self.make(browser, path, password="password")

        assert b"too common" in response.content
        assert User.objects.count() == 0
        assert browser.get(path).status_code == 200

    def test_a_taken_name_is_told(self, browser: Client, alice: User) -> None:
        response = self.make(browser, issue_setup_path(), name="Alice")

        assert b"Somebody has this name already" in response.content

    def test_tries_are_limited(self, browser: Client) -> None:
        path = issue_setup_path()

        statuses = {self.make(browser, path, password="x").status_code for _ in range(25)}

        assert statuses == {200, 429}

    def test_the_page_tells_no_other_site_where_it_was(self, browser: Client) -> None:
        response = browser.get(issue_setup_path())

        assert response["Referrer-Policy"] == "same-origin"
        assert "no-store" in response["Cache-Control"]


class TestTheAdminSite:
    def test_an_outsider_is_sent_to_the_login(self, browser: Client) -> None:
        response = browser.get("/admin/chat/message/")

        assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")
        assert browser.get(response["Location"])["Location"].startswith("/accounts/login/")

    def test_a_member_may_not_enter(self, alice: User, client_of: Callable[[User], Client]) -> None:
        response = client_of(alice).get("/admin/", follow=True)

        assert response.status_code == 403
