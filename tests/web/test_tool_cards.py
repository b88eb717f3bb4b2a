"""Tool calls on the page: their cards, and the word of the person whom some of them wait for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    RunFinished,
    RunStarted,
    Source,
    SourcesFound,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from chat.models import Conversation, Run, User
from chat.runtime import Runtime
from chat.web.reply_view import ReplyView
from chat.web.words import announcement
from tests.web.chatting import HTMX, reply_html, store_turn, url_of
from tests.web.markup import Element, Markup
from tests.web.run_events import numbered
from tests.web.test_encode import make_run, stream
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]
STARTED = ToolStarted("c1", "calculator", {"expression": "37 * 48"})
FINISHED = ToolFinished("c1", "calculator", "1776", is_error=False, duration_ms=40)
DONE = RunFinished("stop")


def turn_of(owner: User, *events: Event) -> Run:
    conversation = Conversation.objects.create(owner=owner, title="Tools", updated_at=timezone.now())
    return store_turn(conversation, "What is 37 * 48?", [RunStarted("starter"), *events])


def cards_in(html: str) -> list[Element]:
    return [element for element in Markup(html).elements if element.attributes.get("role") == "group"]


class TestCard:
    def test_it_has_the_tool_for_a_name_and_shows_input_and_output(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        run = turn_of(alice, STARTED, FINISHED, TextDelta("It is 1776."), DONE)

        html = client_of(alice).get(url_of(run)).content.decode()

        [card] = cards_in(html)
        assert card.tag == "details"
        assert card.attributes["aria-label"] == "Tool: calculator"
        assert "&quot;expression&quot;: &quot;37 * 48&quot;" in html
        assert '<pre tabindex="0">1776</pre>' in html
        assert "40 ms" in html

    def test_while_it_runs_it_is_open_and_says_since_when(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        run = turn_of(alice, STARTED)

        html = client_of(alice).get(url_of(run)).content.decode()

        [card] = cards_in(html)
        assert "open" in card.attributes
        assert '<span class="tool-time" data-running-since="2000">running</span>' in html
        assert 'data-age-ms="' in html

    def test_it_folds_when_the_answer_goes_on(self) -> None:
        [with_result] = cards_in(reply_html(STARTED, FINISHED))
        [passed] = cards_in(reply_html(STARTED, FINISHED, TextDelta("It")))

        assert "open" in with_result.attributes
        assert "open" not in passed.attributes

    def test_calls_side_by_side_get_their_own_results_in_any_order(self) -> None:
        html = reply_html(
            STARTED,
            ToolStarted("c2", "clock"),
            ToolFinished("c2", "clock", "Noon", is_error=False, duration_ms=1),
            FINISHED,
        )

        calculator, clock = html.split('aria-label="Tool: clock"')
        assert "1776" in calculator
        assert "Noon" in clock

    def test_an_error_is_told_as_one(self) -> None:
        html = reply_html(STARTED, ToolFinished("c1", "calculator", "Division by zero.", True, 3))

        assert "Error calling" in html
        assert "Division by zero." in html

    def test_a_call_without_a_result_broke_off(self) -> None:
        assert "Broke off calling" in reply_html(STARTED, RunFinished("stopped"))

    def test_a_long_output_is_sent_no_more_than_twice(self) -> None:
        output = "0123456789abcdef" * 2_048
        words = [TextDelta("word ") for _ in range(50)]
        events = numbered(STARTED, ToolFinished("c1", "calculator", output, False, 3), *words, DONE)

        sent = stream(events, make_run(), after=0, batch_size=1)

        assert sent.count(output) == 2  # with the result, and when the card folds

    @pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
    def test_hostile_names_arguments_and_outputs_are_text(self, payload: str) -> None:
        def shape(text: str) -> list[tuple[str, list[str]]]:
            html = reply_html(
                ToolStarted("c1", text, {text: text}), ToolFinished("c1", text, text, True, 3), DONE
            )
            return [(element.tag, sorted(element.attributes)) for element in Markup(html).elements]

        assert shape(payload) == shape("plain")

    def test_the_admin_shows_the_same_card_without_buttons(
        self, transactional_db: None, alice: User, client_of: ClientOf
    ) -> None:
        boss = client_of(User.objects.create_superuser("boss", password="a-long-password-4"))
        word = [ApprovalAsked("c1"), ApprovalAnswered("c1", is_allowed=True)]
        run = turn_of(alice, STARTED, *word, FINISHED, DONE)

        html = boss.get(f"/admin/chat/message/{run.reply_id}/change/").content.decode()

        [card] = cards_in(html)
        assert card.attributes["aria-label"] == "Tool: calculator"
        assert "You allowed this" in html
        assert "/calls/" not in html


class TestPermission:
    @pytest.fixture
    def run(self, runtime: Runtime, alice: User) -> Run:
        return turn_of(alice, STARTED, ApprovalAsked("c1"))

    def test_the_card_shows_what_would_be_called_and_two_buttons(
        self, run: Run, alice: User, client_of: ClientOf
    ) -> None:
        html = client_of(alice).get(url_of(run)).content.decode()

        assert "Asks to call" in html
        assert "&quot;expression&quot;: &quot;37 * 48&quot;" in html
        buttons = [element.attributes for element in Markup(html).elements if element.tag == "button"]
        actions = [button["formaction"] for button in buttons if "/calls/" in button.get("formaction", "")]
        assert actions == [f"/runs/{run.pk}/calls/c1/{answer}" for answer in ("approve", "deny")]

    @pytest.mark.parametrize(("answer", "is_allowed"), [("approve", True), ("deny", False)])
    def test_a_click_answers_the_question(
        self, run: Run, runtime: Runtime, alice: User, client_of: ClientOf, answer: str, is_allowed: bool
    ) -> None:
        question = runtime.runs.approvals.ask(run.pk, "c1")

        response = client_of(alice).post(f"/runs/{run.pk}/calls/c1/{answer}", headers=HTMX)

        assert response.status_code == 204
        assert question.result(timeout=0) is is_allowed

    def test_without_scripts_a_click_leads_back_to_the_conversation(
        self, run: Run, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        runtime.runs.approvals.ask(run.pk, "c1")

        response = client_of(alice).post(f"/runs/{run.pk}/calls/c1/approve")

        assert response.status_code == 303
        assert response["Location"] == url_of(run)

    def test_a_late_click_is_told_so(self, run: Run, alice: User, client_of: ClientOf) -> None:
        response = client_of(alice).post(f"/runs/{run.pk}/calls/c1/approve", headers=HTMX)

        assert response.status_code == 404
        assert response.content.decode().startswith('<hx-partial hx-target="#problem"')

    @pytest.mark.parametrize("answer", ["approve", "deny"])
    def test_an_outsider_answers_nothing(
        self, run: Run, runtime: Runtime, charlie: User, client_of: ClientOf, answer: str
    ) -> None:
        question = runtime.runs.approvals.ask(run.pk, "c1")

        for client in (client_of(charlie), Client()):
            assert client.post(f"/runs/{run.pk}/calls/c1/{answer}").status_code == 404
        assert client_of(charlie).get(f"/runs/{run.pk}/calls/c1/{answer}").status_code == 405

        assert not question.done()

    def test_the_answer_takes_the_buttons_away(self) -> None:
        asked = [STARTED, ApprovalAsked("c1")]

        allowed = reply_html(*asked, ApprovalAnswered("c1", is_allowed=True))
        refused = reply_html(*asked, ApprovalAnswered("c1", is_allowed=False))

        assert "/calls/c1/approve" in reply_html(*asked)
        assert "/calls/c1/" not in allowed + refused
        assert "You allowed this" in allowed
        assert "Calling" in allowed
        assert "You did not allow this" in refused

    def test_screen_readers_are_told_of_the_question(self) -> None:
        view = ReplyView.of_events(7, (), numbered(STARTED, ApprovalAsked("c1")))

        assert announcement(view) == "Permission needed to call calculator"

    def test_the_history_remembers_the_answer(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        word = [ApprovalAsked("c1"), ApprovalAnswered("c1", is_allowed=True)]
        run = turn_of(alice, STARTED, *word, FINISHED, DONE)

        html = client_of(alice).get(url_of(run)).content.decode()

        assert "You allowed this" in html
        assert "/calls/" not in html


def test_opening_many_answers_with_tools_and_sources_costs_no_more_queries_than_a_few(
    runtime: Runtime, alice: User, client_of: ClientOf
) -> None:
    client, counts = client_of(alice), []
    word = [ApprovalAsked("c1"), ApprovalAnswered("c1", is_allowed=True)]
    for num_turns in (2, 20):
        conversation = Conversation.objects.create(owner=alice, title="Long", updated_at=timezone.now())
        for n in range(num_turns):
            sources = tuple(Source(k, "Guide", f"Passage {n}") for k in (1, 2))
            store_turn(conversation, "Why?", [SourcesFound(sources), STARTED, *word, FINISHED, DONE])
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/c/{conversation.pk}").content.count(b'aria-label="Sources"') == num_turns
        counts.append(len(queries))

    assert counts[0] == counts[1]
