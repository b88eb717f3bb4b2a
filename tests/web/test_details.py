"""The glass box: what an answer was made of, its replay, and writing it again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import AsyncClient, Client

from chat.domain.events import (
    ReasoningDelta,
    RunFinished,
    RunStarted,
    Source,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.models import AuditEntry, Conversation, Run, User
from chat.runtime import Runtime
from chat.web import replay
from tests.conftest import conversation_of, wait_for_end
from tests.web.chatting import HTMX, finished_chat, read_stream, start_chat, store_turn
from tests.web.page_dom import Page

ClientOf = Callable[[User], Client]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser(runtime: Runtime, alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


@pytest.fixture
def run(browser: Client) -> Run:
    """A question and its answer."""
    return finished_chat(browser)


def details_of(browser: Client, run: Run, query: str = "") -> str:
    response = browser.get(f"/messages/{run.reply_id}/details{query}")
    assert response.status_code == 200, response.content
    return response.content.decode()


def again(browser: Client, run: Run) -> str:
    async def post() -> Any:
        client = AsyncClient()
        client.cookies = browser.cookies
        return await client.post(f"/runs/{run.pk}/again")

    response: HttpResponse = asyncio.run(post())
    assert response.status_code == 200, response.content
    return response.content.decode()


def watch_again(browser: Client, run: Run) -> str:
    """What a page with scripts is sent."""

    async def post() -> str:
        client = AsyncClient()
        client.cookies = browser.cookies
        response: Any = await client.post(f"/runs/{run.pk}/again", headers=HTMX)
        return b"".join([chunk async for chunk in response.streaming_content]).decode()

    return asyncio.run(post())


def prompt_in(html: str) -> str:
    found = re.findall(r'<span class="stretch[^>]*>(.*?)</span>', html, re.DOTALL)
    return unescape("".join(found))


def test_the_answer_leads_to_its_details(browser: Client, run: Run) -> None:
    page = browser.get(f"/c/{run.conversation_id}").content.decode()

    assert f'href="/messages/{run.reply_id}/details" aria-label="Details"' in page


def test_the_prompt_is_shown_whole_with_its_origins_and_as_many_tokens_as_it_had(
    browser: Client, run: Run
) -> None:
    html = details_of(browser, run)

    assert run.usage_report
    assert f"The model read {run.usage_report.prompt_tokens} tokens" in html
    assert "were counted then" not in html
    assert '<span class="stretch is-question" title="Question">Hello</span>' in html
    assert '<span class="stretch is-system"' in html
    assert prompt_in(html).index("Hello") > prompt_in(html).index(run.recipe["system_prompt"])
    assert str(run.recipe["params"]["seed"]) in html


def test_passages_and_rounds_of_tools_are_told_apart(browser: Client, run: Run) -> None:
    source = Source(n=1, title="a", excerpt="Roses need water.")
    turn = store_turn(
        conversation_of(run),
        "What do roses need?",
        [
            RunStarted("tiny"),
            SourcesFound((source,)),
            StatusChanged("reading"),
            ReasoningDelta("hm"),
            StatusChanged("calling"),
            ToolStarted("c1", "calculator", {"expression": "1+1"}),
            ToolFinished("c1", "calculator", "2", False, 3),
            StatusChanged("reading"),
            TextDelta("Water [1]"),
            UsageReported(9, 0, 4, 1, 2, 3),
            RunFinished("stop"),
        ],
    )
    Run.objects.filter(pk=turn.pk).update(recipe=run.recipe, model="tiny")

    html = details_of(browser, turn)

    assert "in 2 rounds" in html
    assert '<span class="stretch is-passages" title="Passages">Passages:' in html
    assert "Roses need water. [1]" in html
    assert 'is-history" title="Earlier messages">Hello</span>' in html
    assert "9 were counted then" in html
    assert html.count("What do roses need?") == 2  # once for each round


def test_a_model_that_is_not_in_memory_is_loaded_on_demand(
    browser: Client, run: Run, runtime: Runtime
) -> None:
    runtime.registry.unload("tiny")

    assert "Load the model and show the prompt" in details_of(browser, run)
    assert "The model read" in details_of(browser, run, "?load=1")


def test_an_answer_of_earlier_times_still_shows_its_events(browser: Client, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(recipe={})

    html = details_of(browser, run)

    assert "What this answer was made with is not known here" in html
    assert "Ended: " in html
    assert f"/runs/{run.pk}/again" not in html


class TestReplay:
    def test_its_text_is_the_stored_text(
        self, browser: Client, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replay, "MAX_GAP_S", 0.0)
        num_events = run.events.count()
        page = Page(details_of(browser, run, "?speed=4"))

        _, stream = read_stream(browser, f"/runs/{run.pk}/replay?speed=4")

        page.receive(stream)
        stored = browser.get(f"/c/{run.conversation_id}").content.decode()
        parts = f"#message-{run.reply_id}-parts"
        assert str(page.find(parts)) == str(Page(stored).find(parts))
        assert run.events.count() == num_events

    def test_it_shows_nothing_that_acts_on_the_answer(
        self, browser: Client, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replay, "MAX_GAP_S", 0.0)

        _, stream = read_stream(browser, f"/runs/{run.pk}/replay")

        assert "Played to the end" in stream
        assert "<button" not in stream


class TestAgain:
    def test_the_same_seed_gives_the_same_answer(self, browser: Client, run: Run) -> None:
        num_rows = (Run.objects.count(), run.conversation.messages.count())

        html = again(browser, run)

        assert "The same answer, word for word" in html
        assert (Run.objects.count(), run.conversation.messages.count()) == num_rows

    def test_it_can_be_watched(self, browser: Client, run: Run) -> None:
        page = Page(details_of(browser, run))

        stream = watch_again(browser, run)

        page.receive(stream)
        first, *_, last = stream.split("\n\n")[:-1]
        assert "Cancel" in first
        words = "".join(
            re.findall(r'"#again-words" hx-swap="beforeend">(.*?)</hx-partial>', stream, re.DOTALL)
        )
        assert unescape(words.replace("\ndata: ", "\n")).strip()
        assert "as many as the first time" in str(page.find("#again"))
        assert "Cancel" not in last

    def test_a_failure_while_it_is_watched_is_told(self, browser: Client, run: Run) -> None:
        Run.objects.filter(pk=run.pk).update(model="gone")

        page = Page(details_of(browser, run)).receive(watch_again(browser, run))

        assert "card-error" in str(page.find("#again"))

    def test_another_answer_is_shown_with_its_differences(self, browser: Client, run: Run) -> None:
        run.events.filter(kind="text_delta").update(data={"text": "Roses need water."})

        html = again(browser, run)

        assert "Another answer" in html
        assert "<del" in html
        assert "<ins" in html


def test_run_again_is_bit_identical_on_the_starter_model_while_others_write(
    starter_runtime: Runtime, alice: User, bob: User, client_of: ClientOf
) -> None:
    browser = client_of(alice)
    first = finished_chat(browser, "Tell me about rivers.")
    Conversation.objects.update(params={"temperature": 0.8})
    later = last_run_of(browser, first, "And about the mountains near them?")
    assert later.recipe["params"]["temperature"] == 0.8
    assert later.usage_report
    assert later.usage_report.cached_tokens
    busy = start_chat(client_of(bob), "Write a long story about a fox and a crow.")

    for run in (first, later):
        assert "The same answer, word for word" in again(browser, run)

    wait_for_end(busy)


def last_run_of(browser: Client, run: Run, text: str) -> Run:
    """One more question in the same chat, and its answer."""
    browser.post(f"/c/{run.conversation_id}/messages", {"text": text})
    return wait_for_end(Run.objects.order_by("-pk")[0])


class TestCopies:
    def test_a_fork_has_nothing_to_play_back_and_says_so(self, browser: Client, run: Run) -> None:
        browser.post(f"/messages/{run.reply_id}/fork")
        copy = Run.objects.exclude(pk=run.pk).get()

        html = details_of(browser, copy)

        assert "nothing to play back" in html
        assert "speed=" not in html
        assert f"/runs/{copy.pk}/again" in html  # its request is known

    def test_a_copy_of_an_answer_that_called_tools_cannot_be_written_again(
        self, browser: Client, run: Run
    ) -> None:
        answer = [
            RunStarted("tiny"),
            ToolStarted("c1", "calculator", {"expression": "1+1"}),
            ToolFinished("c1", "calculator", "2", False, 3),
            TextDelta("Two."),
            RunFinished("stop"),
        ]
        turn = store_turn(conversation_of(run), "One and one?", answer)
        Run.objects.filter(pk=turn.pk).update(recipe=run.recipe, model="tiny")
        turn.events.all().delete()

        html = details_of(browser, turn)

        assert "a copy of an answer that called tools" in html
        assert f"/runs/{turn.pk}/again" not in html


class TestAccess:
    def test_an_outsider_sees_nothing(
        self, browser: Client, run: Run, charlie: User, client_of: ClientOf
    ) -> None:
        outsider = client_of(charlie)

        assert outsider.get(f"/messages/{run.reply_id}/details").status_code == 404
        assert outsider.get(f"/runs/{run.pk}/replay").status_code == 404
        assert outsider.post(f"/runs/{run.pk}/again").status_code == 404
        assert outsider.post(f"/runs/{run.pk}/again", headers=HTMX).status_code == 404

    def test_staff_may_look(self, browser: Client, run: Run, bob: User, client_of: ClientOf) -> None:
        bob.is_staff = True
        bob.save()

        html = details_of(client_of(bob), run)

        assert "The model read" in html
        assert "Back to the chat" not in html
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.conversation_id) == (bob, run.conversation_id)

    def test_a_question_and_an_edited_answer_have_none(self, browser: Client, run: Run) -> None:
        chat = Conversation.objects.get(pk=run.conversation_id)

        for message in chat.messages.filter(role="user"):
            assert browser.get(f"/messages/{message.pk}/details").status_code == 404
