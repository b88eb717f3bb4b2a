"""The two health pages: what they answer, how quickly, and what they keep to themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection
from django.test import Client

from chat.models import User
from chat.ops.health import LiveProbe
from chat.runtime import Runtime, close_runtime
from tests.conftest import wait_until


def ask() -> Any:
    return Client().get("/health/ready")


def test_ready_once_the_model_is_loaded(runtime: Runtime) -> None:
    runtime.start()

    wait_until(lambda: ask().status_code == 200)

    assert ask().json() == {"status": "ready", "database": "ok", "events": "ok", "model": "ready"}


def test_not_ready_while_the_model_loads(new_engines: None, runtime: Runtime) -> None:
    response = ask()

    assert (response.status_code, response.json()["model"]) == (503, "loading")


def test_without_a_model_it_says_so(
    runtime: Runtime, tiny_models_dir: Path, settings: Any, tmp_path: Path
) -> None:
    settings.PARLEY_MODELS_DIR = tmp_path / "none"
    close_runtime()

    response = ask()

    assert (response.status_code, response.json()["model"]) == (503, "model_not_found")


def test_a_database_that_cannot_be_read_is_told(runtime: Runtime) -> None:
    with connection.execute_wrapper(refuse):
        response = ask()

    assert (response.status_code, response.json()["database"]) == (503, "unavailable")


def refuse(*_: object) -> None:
    raise OperationalError("disk I/O error")


def test_visitors_and_members_see_no_details(
    runtime: Runtime, alice: User, client_of: Callable[[User], Client]
) -> None:
    for response in (ask(), client_of(alice).get("/health/ready")):
        assert set(response.json()) == {"status", "database", "events", "model"}


def test_an_administrator_sees_versions_and_folders(
    runtime: Runtime, client_of: Callable[[User], Client]
) -> None:
    boss = User.objects.create_superuser("boss", password="a-long-password-4")

    details = client_of(boss).get("/health/ready").json()["details"]

    assert details["versions"]["daphne"] == "4.2.3"
    assert details["models_dir"] == str(runtime.conf.models_dir)


def test_it_cannot_be_posted_to(runtime: Runtime) -> None:
    assert Client().post("/health/ready").status_code == 405


async def test_live_needs_neither_django_nor_a_database() -> None:
    sent: list[dict[str, Any]] = []

    async def broken(*_: object) -> None:
        raise AssertionError("asked the rest of the program")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await LiveProbe(broken)({"type": "http", "path": "/health/live"}, None, send)

    assert (sent[0]["status"], sent[1]["body"]) == (200, b"ok\n")
