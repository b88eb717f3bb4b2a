"""What goes wrong is told in words, with the right status, and without a look inside."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from chat.domain import errors
from chat.domain.errors import error_classes
from chat.http.errors import error_status
from chatsite.urls import urlpatterns as site_urls

SECRET = "SELECT secret FROM table"


def fail(request: HttpRequest) -> HttpResponse:
    raise FAILURES[request.GET["kind"]]


async def fail_async(request: HttpRequest) -> HttpResponse:
    raise FAILURES[request.GET["kind"]]


FAILURES: dict[str, Exception] = {
    "overloaded": errors.Overloaded("200 answers are waiting.", retry_after_s=7),
    "conflict": errors.Conflict("An answer is being written."),
    "markup": errors.InvalidInput("<script>alert(1)</script>"),
    "crash": RuntimeError(SECRET),
    "denied": PermissionDenied(SECRET),
    "bad": BadRequest(SECRET),
}

urlpatterns = [path("fail", fail), path("fail-async", fail_async), *site_urls]


@pytest.fixture(autouse=True)
def with_failing_views(settings: Any, transactional_db: None) -> None:
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("x"), 400),
        (errors.NotAllowed("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.Conflict("x"), 409),
        (errors.Overloaded("x"), 503),
        (errors.RateLimited("x"), 429),
        (errors.ModelUnreadable("x"), 503),
        (errors.ContextOverflow("x"), 400),
        (errors.TemplateFailed("x"), 503),
        (errors.ChatError("x"), 500),
    ],
)
def test_each_error_has_its_status(error: errors.ChatError, status: int) -> None:
    assert error_status(error) == status


def test_no_error_of_the_tree_is_without_a_status() -> None:
    assert all(400 <= error_status(cls("x")) < 600 for cls in error_classes().values())


@pytest.mark.parametrize("address", ["/fail", "/fail-async"])
def test_a_chat_error_is_a_page_with_its_words(browser: Client, address: str) -> None:
    response = browser.get(f"{address}?kind=conflict")

    assert response.status_code == 409
    assert b"An answer is being written." in response.content
    assert b"Wait for the answer to finish, or press Stop." in response.content
    assert response.content.startswith(b"<!doctype html>")


def test_htmx_gets_the_words_for_their_place_on_the_page(browser: Client) -> None:
    response = browser.get("/fail?kind=conflict", headers={"HX-Request": "true"})

    assert response.status_code == 409
    assert response.content.startswith(b'<hx-partial hx-target="#problem"')


def test_an_overloaded_server_says_when_to_come_back(browser: Client) -> None:
    response = browser.get("/fail?kind=overloaded")

    assert (response.status_code, response["Retry-After"]) == (503, "7")


def test_words_of_an_error_are_text(browser: Client) -> None:
    assert b"<script>" not in browser.get("/fail?kind=markup").content


@pytest.mark.parametrize(("kind", "status"), [("crash", 500), ("denied", 403), ("bad", 400)])
def test_a_failure_shows_nothing_of_the_inside(browser: Client, kind: str, status: int) -> None:
    response = browser.get(f"/fail?kind={kind}")

    assert response.status_code == status
    assert SECRET.encode() not in response.content
    assert b"Traceback" not in response.content
    assert b"<h1>" in response.content


@pytest.mark.parametrize("kind", ["crash", "denied", "bad", "conflict"])
def test_error_pages_need_nothing_from_elsewhere(browser: Client, kind: str) -> None:
    response = browser.get(f"/fail?kind={kind}")

    assert re.findall(r"(?:https?:)?//[\w.]+", response.content.decode()) == []
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "no-store"


def test_an_unknown_page_is_not_found_in_our_look(browser: Client) -> None:
    response = browser.get("/nowhere")

    assert response.status_code == 404
    assert b"There is nothing here, or it is not yours." in response.content


FORM = "application/x-www-form-urlencoded"
BODIES: list[tuple[str, bytes]] = [
    ("application/json", b"null"),
    ("application/json", b"[" * 100_000),
    ("text/plain", b'{"text": "x"}'),
    ("", b"text=x"),
    (FORM, b""),
    (FORM, b"text=" + b"x" * 100_001),
    (FORM, b"text=%ff%fe&key=%00"),
    (FORM, b"text=%00"),
    (FORM, b"text=%ed%b3%ad"),
    (FORM, b"text=hello&key=not-a-uuid"),
    (FORM, b"text=hello&key=" + b"9" * 10_000),
    (FORM, b"&".join(b"a%d=1" % number for number in range(2000))),
    (FORM, b"x" * 3_000_000),
    (FORM + "; charset=rot13", b"text=x"),
    (FORM + "; charset=base64", b"text=x"),
    (FORM + "; charset=nonsense", b"text=x"),
    (FORM + "; charset=utf-16", b"text=x"),
    ("multipart/form-data", b"text=x"),
    ("multipart/form-data; boundary=", b"--\r\n"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\nhel"),
    ("multipart/form-data; boundary=" + "x" * 300, b"--x\r\n"),
    ("multipart/form-data; boundary=é", b"--x\r\n"),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\nx\r\n--x--\r\n',
    ),
    (
        "multipart/form-data; boundary=x",
        b"--x\r\nContent-Disposition: form-data; name=t\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n--x--\r\n",
    ),
]
PATHS = ["/", "/accounts/login/", "/accounts/signup/", "/theme", "/runs/1/stop", "/messages/1/regenerate"]
PATHS += ["/attachments/"]


@pytest.mark.parametrize(("content_type", "body"), BODIES, ids=range(len(BODIES)))
def test_no_body_makes_the_server_fail(browser: Client, runtime: Any, content_type: str, body: bytes) -> None:
    for address in PATHS:
        response = browser.generic("POST", address, body, content_type=content_type)

        assert response.status_code < 500 or response.status_code == 503


QUERIES = ["%00", "after=9" + "9" * 5000, "a=%ff", "&".join(["a=1"] * 3000), "next=%0d%0aX: y"]


def test_no_query_makes_the_server_fail(browser: Client, runtime: Any) -> None:
    for query in QUERIES:
        for address in ("/", "/accounts/login/", "/runs/1/events", "/c/0b2b3b7e-6a86-4b77-b4f5-1f0a6f8f3c11"):
            assert browser.get(f"{address}?{query}").status_code < 500
