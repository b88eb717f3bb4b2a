"""`/metrics`: who may read it, that Prometheus understands it, and that the numbers are those of what happened."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chat.http.limits import App, Receive, Scope, Send
from chat.models import Actor, Run, User
from chat.ops.access_log import AccessLog
from chat.runtime import Runtime, close_runtime, get_runtime
from tests.conftest import long_answers, wait_for_end, wait_until

TOKEN = "a-token-of-more-than-twenty"
ClientOf = Callable[[User], Client]


@pytest.fixture
def boss(transactional_db: None, client_of: ClientOf) -> Client:
    return client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))


def numbers(client: Client) -> dict[tuple[str, ...], float]:
    """Each value under its name and the values of its labels, as Prometheus reads them."""
    response = client.get("/metrics")
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(response.content.decode()))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "each family is written once"
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def ask(runtime: Runtime, actor: Actor, text: str = "Hello there") -> Run:
    return runtime.runs.start_conversation(actor, text, key=uuid.uuid4())


def test_an_answer_is_counted_with_its_tokens_and_times_and_without_its_words(
    runtime: Runtime, alices_actor: Actor, boss: Client
) -> None:
    run = wait_for_end(ask(runtime, alices_actor, "My secret plan"))
    usage = run.usage_report
    assert usage is not None

    found = numbers(boss)

    assert found["parley_prompt_tokens_total", "tiny"] == usage.prompt_tokens
    assert found["parley_reused_tokens_total", "tiny"] == usage.cached_tokens
    assert found["parley_generated_tokens_total", "tiny"] == usage.completion_tokens
    assert found["parley_first_token_seconds_count", "tiny"] == 1
    waited_s = (usage.queued_ms + usage.prompt_ms) / 1000
    assert found["parley_first_token_seconds_sum", "tiny"] == pytest.approx(waited_s)
    assert found["parley_token_seconds_count", "tiny"] == 1
    assert found["parley_runs_total", "tiny", run.finish_reason] == 1
    text = boss.get("/metrics").content.decode()
    assert not {word for word in ("alice", "secret", "plan", "boss") if word in text}


def test_a_question_without_a_model_is_counted_as_an_error(
    runtime: Runtime, alices_actor: Actor, boss: Client, settings: Any
) -> None:
    settings.PARLEY_MODEL = "missing"
    close_runtime()
    wait_for_end(ask(get_runtime(), alices_actor))

    found = numbers(boss)

    assert found["parley_runs_total", "", "error"] == 1
    assert found["parley_run_errors_total", "model_not_found"] == 1


@long_answers
def test_a_running_engine_shows_its_slots_memory_and_restarts(
    new_engines: None, runtime: Runtime, alices_actor: Actor, boss: Client
) -> None:
    for _ in range(
        3
    ):  # one alone is written in no time: its nonsense repeats itself, and drafts of it are right
        ask(runtime, alices_actor)
    wait_until(lambda: numbers(boss).get(("parley_engine_slots_in_use", "tiny")) == 3)
    found = numbers(boss)
    assert found["parley_engine_slots", "tiny"] == 4
    assert found["parley_engine_ready", "tiny"] == 1
    assert found["parley_live_runs",] == 3
    assert found["parley_engine_resident_memory_bytes", "tiny"] > 2**20
    assert found["parley_web_resident_memory_bytes",] > 2**20
    assert found["parley_database_bytes",] > 0
    (status,) = runtime.registry.status()
    assert status.pid is not None

    os.kill(status.pid, signal.SIGKILL)

    wait_until(lambda: numbers(boss)["parley_engine_restarts_total", "tiny"] == 1)


def test_requests_are_counted_by_class_and_made_up_methods_are_one(runtime: Runtime, boss: Client) -> None:
    before = numbers(boss)

    for method, status in (
        ("GET", 200),
        ("GET", 204),
        ("POST", 503),
        ("BREW", 405),
        ("BOIL", 405),
        ("GET", 0),
    ):
        asyncio.run(AccessLog(answering(status))({**SCOPE, "method": method}, nothing, nothing))

    after = numbers(boss)
    name = "parley_http_requests_total"
    grown = {key[1:]: value - before.get(key, 0) for key, value in after.items() if key[0] == name}
    assert {key: value for key, value in grown.items() if value} == {
        ("GET", "2xx"): 2,
        ("POST", "5xx"): 1,
        ("other", "4xx"): 2,
        ("GET", "none"): 1,
    }


SCOPE = {"type": "http", "path": "/", "client": ("127.0.0.1", 1)}


async def nothing(*_: Any) -> Any:
    return {}


def answering(status: int) -> App:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if status:
            await send({"type": "http.response.start", "status": status})

    return app


def test_the_token_opens_it_and_nothing_else_does(
    transactional_db: None, runtime: Runtime, settings: Any, charlie: User, client_of: ClientOf
) -> None:
    settings.PARLEY_METRICS_TOKEN = TOKEN
    close_runtime()

    def status_of(browser: Client, authorization: str) -> int:
        return int(browser.get("/metrics", headers={"Authorization": authorization}).status_code)

    assert status_of(Client(), f"Bearer {TOKEN}") == 200
    for wrong in ("", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"bearer {TOKEN[:-1]}", "Bearer tökén\ud83d"):
        assert status_of(Client(), wrong) == 404
        assert status_of(client_of(charlie), wrong) == 404


def test_without_a_token_it_is_for_staff_alone(
    runtime: Runtime, boss: Client, charlie: User, client_of: ClientOf
) -> None:
    for outsider in (Client(), client_of(charlie)):
        assert outsider.get("/metrics").status_code == 404
        assert outsider.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    assert boss.post("/metrics").status_code == 405


def test_with_accounts_only_a_program_needs_no_account(runtime: Runtime, settings: Any) -> None:
    settings.PARLEY_ACCESS = "login"
    settings.PARLEY_METRICS_TOKEN = TOKEN
    close_runtime()

    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 200
    assert not answer.cookies
