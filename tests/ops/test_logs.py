"""What a log line shows, and what it never shows."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from chat.domain.trace import tracing
from chat.ops.access_log import AccessLog
from chat.ops.logs import JsonFormatter, PlainFormatter, ReportedOnce

FORGED = "bob\n[ERROR] admin logged in\u2028\x1b[31m"


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("chat.test", logging.INFO, __file__, 1, message, args, None)
    made.__dict__.update(extra)
    return made


def test_a_json_line_is_one_line_whatever_a_client_sent() -> None:
    line = JsonFormatter().format(record("no such user %s", FORGED))

    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["message"] == f"no such user {FORGED}"


def test_a_plain_line_shows_control_characters_instead_of_obeying_them() -> None:
    line = PlainFormatter().format(record("no such user %s", FORGED))

    assert line.endswith(r"no such user bob\x0a[ERROR] admin logged in\u2028\x1b[31m")


def test_lines_of_a_run_carry_its_number() -> None:
    with tracing(7):
        line = JsonFormatter().format(record("reading the prompt"))
    after = JsonFormatter().format(record("something else"))

    assert json.loads(line)["run"] == 7
    assert "run" not in json.loads(after)


def test_a_traceback_stays_within_its_line() -> None:
    made = record("it failed")
    try:
        raise ValueError(FORGED)
    except ValueError:
        made.exc_info = sys.exc_info()

    assert "\n" not in JsonFormatter().format(made)
    assert "\n[ERROR]" not in PlainFormatter().format(made)


async def answer(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"12345", "more_body": True})
    await send({"type": "http.response.body", "body": b"678"})


async def swallow(message) -> None:
    pass


def scope_of(path: str) -> dict[str, object]:
    return {"type": "http", "method": "GET", "path": path, "query_string": b"q=secret", "client": ["::1", 9]}


async def test_each_request_is_one_line_with_its_size(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "chat.access"):
        await AccessLog(answer)(scope_of("/sidebar"), None, swallow)

    (line,) = [json.loads(JsonFormatter().format(made)) for made in caplog.records]
    assert (line["method"], line["path"], line["status"], line["num_bytes"]) == ("GET", "/sidebar", 200, 8)
    assert "secret" not in str(line)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/setup/Zk3vV3x0q9pJrXJYcT0t5xq3bXl8f1Yw2cVb9aQe7hM", "/setup/..."),
        ("/s/Zk3vV3x0q9pJrXJYcT0t5xq3bXl8f1Yw2cVb9aQe7hM/events", "/s/.../events"),
        ("/c/0b2b3b7e-6a86-4b77-b4f5-1f0a6f8f3c11/rename", "/c/0b2b3b7e-6a86-4b77-b4f5-1f0a6f8f3c11/rename"),
        ("/static/css/account.css", "/static/css/account.css"),
    ],
)
async def test_links_that_are_secrets_are_not_logged(
    caplog: pytest.LogCaptureFixture, path: str, shown: str
) -> None:
    with caplog.at_level("INFO", "chat.access"):
        await AccessLog(answer)(scope_of(path), None, swallow)

    assert [made.path for made in caplog.records] == [shown]


async def test_health_questions_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "chat.access"):
        await AccessLog(answer)(scope_of("/health/live"), None, swallow)

    assert caplog.records == []


def test_a_secret_link_is_hidden_in_every_line() -> None:
    secret = "Zk3vV3x0q9pJrXJYcT0t5xq3bXl8f1Yw2cVb9aQe7hM"
    made = record("Internal Server Error: %s", f"/setup/{secret}")

    assert secret not in JsonFormatter().format(made)
    assert secret not in PlainFormatter().format(made)


@pytest.mark.parametrize(
    ("logger", "has_traceback", "is_written"),
    [
        ("django.request", True, True),
        ("django.request", False, False),
        ("django.security.csrf", False, False),
        ("django.security.DisallowedHost", True, True),
    ],
)
def test_django_reports_only_what_the_access_log_does_not(
    logger: str, has_traceback: bool, is_written: bool
) -> None:
    made = record("it failed")
    made.name = logger
    made.exc_info = (ValueError, ValueError(), None) if has_traceback else None

    assert ReportedOnce().filter(made) is is_written
    assert not (made.exc_info and logger.startswith("django.security"))
