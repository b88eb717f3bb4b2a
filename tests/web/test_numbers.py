"""The page of numbers: what it counts, that it stays quick, and that its CSV computes nothing."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.domain.events import RunFailed, RunFinished, RunStarted, TextDelta, UsageReported
from chat.models import Feedback, Flow, Run, User
from tests.web.chatting import store_turn
from tests.web.filing import chat_of
from tests.web.page_dom import Page
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]
ADDRESSES = ("/review/numbers", "/review/numbers.csv")


@pytest.fixture
def boss(transactional_db: None, client_of: ClientOf) -> Client:
    return client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))


def answer(owner: User, wait_ms: int, flow: Flow | None = None) -> Run:
    usage = UsageReported(100, 0, 20, queued_ms=0, prompt_ms=wait_ms, completion_ms=1000)
    chat = chat_of(owner)
    chat.flow = flow
    events = (RunStarted("starter"), TextDelta("Yes."), usage, RunFinished("stop"))
    return store_turn(chat, "Is it?", events)


def failure(owner: User) -> Run:
    return store_turn(chat_of(owner), "Is it?", (RunStarted("starter"), RunFailed("overloaded", "Too much")))


def lines_of(browser: Client, days: int = 30) -> list[dict[str, str]]:
    content = browser.get(f"/review/numbers.csv?days={days}").content.decode()
    return list(csv.DictReader(content.splitlines()))


def test_it_counts_messages_people_tokens_times_errors_and_feedback(
    boss: Client, alice: User, bob: User
) -> None:
    runs = [answer(alice, wait_ms) for wait_ms in (100, 200, 300)] + [answer(bob, 900), failure(bob)]
    Feedback.objects.create(message=runs[0].reply, rating="up")
    Feedback.objects.create(message=runs[3].reply, rating="down")

    total = boss.get("/review/numbers").context["total"]

    assert (total.num_messages, total.num_people, total.num_tokens) == (5, 2, 480)
    assert (total.p50_ms, total.p95_ms, total.tokens_per_s) == (300, 900, 20.0)
    assert (total.num_errors, total.num_good, total.num_bad) == (1, 1, 1)


def test_the_page_draws_and_tells_the_same(boss: Client, alice: User) -> None:
    answer(alice, 100, Flow.objects.create(name="Clerk"))
    failure(alice)

    html = boss.get("/review/numbers?days=7").content.decode()

    assert html.count('<svg role="img"') == 7
    assert f"<title>{timezone.localdate():%-d %b}: 2 messages</title>" in html
    assert "<td>Clerk</td><td>starter</td>" in html
    assert "style=" not in html


def test_a_period_begins_where_it_says(boss: Client, alice: User) -> None:
    old = answer(alice, 100)
    Run.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=20))

    counted = [
        boss.get(f"/review/numbers?days={days}").context["total"].num_messages for days in (7, 30, 90, "x")
    ]

    assert counted == [0, 1, 1, 1]


def test_a_day_is_one_of_the_servers_time_zone(boss: Client, alice: User, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    evening = timezone.now().astimezone(UTC).replace(hour=20) - timedelta(days=2)  # there it is the next day
    Run.objects.filter(pk=answer(alice, 100).pk).update(created_at=evening)

    (line,) = lines_of(boss)

    assert line["day"] == (evening + timedelta(days=1)).date().isoformat()


def test_more_runs_need_no_more_queries(boss: Client, alice: User) -> None:
    def num_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            boss.get("/review/numbers")
        return len(queries)

    answer(alice, 100)
    few = num_queries()
    for wait_ms in range(10):
        Feedback.objects.create(message=answer(alice, wait_ms).reply, rating="up")

    assert num_queries() == few < 10


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_cell_is_a_formula(boss: Client, alice: User, name: str) -> None:
    answer(alice, 100, Flow.objects.create(name=name))

    (line,) = lines_of(boss)

    assert (line["flow"], line["model"], line["messages"]) == (f"'{name}", "starter", "1")


def test_names_are_never_markup(boss: Client, alice: User) -> None:
    for payload in PAYLOADS.values():
        answer(alice, 100, Flow.objects.create(name=payload[:60]))

    html = boss.get("/review/numbers").content.decode()

    tags = {node.tag for node, _ in Page(html).root.walk()}
    assert tags.isdisjoint({"img", "iframe", "math", "style", "base", "hx-partial", "noscript"})
    assert "<script>alert" not in html


@pytest.mark.parametrize("address", ADDRESSES)
def test_for_an_outsider_there_are_no_numbers(charlie: User, client_of: ClientOf, address: str) -> None:
    for outsider in (Client(), client_of(charlie)):
        assert outsider.get(address).status_code == 404
