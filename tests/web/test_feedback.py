"""What people think of answers: one rating each, with a reason if they like, taken back by a second press."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from chat.domain.events import RunFinished, RunStarted, TextDelta, UsageReported
from chat.models import Feedback, Message, User
from tests.web.chatting import HTMX, store_turn, url_of
from tests.web.filing import chat_of
from tests.web.page_dom import Page
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]
ANSWER = (RunStarted("starter"), TextDelta("Nine."), UsageReported(9, 0, 2, 1, 2, 3), RunFinished("stop"))
VERBS = ("good", "bad", "take-back", "why")


@pytest.fixture
def browser(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


@pytest.fixture
def answer(alice: User) -> Message:
    return store_turn(chat_of(alice), "When does it open?", ANSWER).reply


def rated(answer: Message) -> list[tuple[str, str]]:
    return list(Feedback.objects.filter(message=answer).values_list("rating", "content"))


def pressed(html: str) -> dict[str, str]:
    """The state of each of the two buttons."""
    buttons = {node.attributes.get("aria-label"): node.attributes for node, _ in Page(html).root.walk()}
    return {name: str(buttons[name]["aria-pressed"]) for name in ("Good answer", "Bad answer")}


class TestRating:
    def test_a_press_rates_and_the_page_shows_it(self, browser: Client, answer: Message) -> None:
        address = f"/c/{answer.conversation_id}"
        assert pressed(browser.get(address).content.decode()) == {
            "Good answer": "false",
            "Bad answer": "false",
        }

        changes = browser.post(f"/messages/{answer.pk}/good", headers=HTMX).content.decode()

        page = Page(browser.get(address).content.decode())
        assert rated(answer) == [("up", "")]
        assert pressed(str(page.root)) == {"Good answer": "true", "Bad answer": "false"}
        page.swap(changes)
        assert "What was good?" in str(page.root)

    def test_the_other_button_changes_the_rating(self, browser: Client, answer: Message) -> None:
        browser.post(f"/messages/{answer.pk}/good")
        browser.post(f"/messages/{answer.pk}/why", {"text": "Right"})

        browser.post(f"/messages/{answer.pk}/bad")
        browser.post(f"/messages/{answer.pk}/bad")

        assert rated(answer) == [("down", "")]

    def test_a_second_press_takes_it_back(self, browser: Client, answer: Message) -> None:
        Feedback.objects.create(message=answer, rating="up")  # as a program leaves it
        browser.post(f"/messages/{answer.pk}/good")
        html = browser.get(f"/c/{answer.conversation_id}").content.decode()
        assert f'hx-post="/messages/{answer.pk}/take-back"' in html

        changes = browser.post(f"/messages/{answer.pk}/take-back", headers=HTMX).content.decode()

        assert rated(answer) == []
        assert pressed(changes) == {"Good answer": "false", "Bad answer": "false"}

    def test_only_answers_that_have_ended_are_rated(self, browser: Client, alice: User) -> None:
        run = store_turn(chat_of(alice), "When?", ANSWER[:2])

        assert browser.post(f"/messages/{run.reply_id}/good").status_code == 409
        assert browser.post(f"/messages/{run.reply.parent_id}/good").status_code == 400
        assert "Good answer" not in browser.get(url_of(run)).content.decode()
        assert not Feedback.objects.exists()


class TestReason:
    def test_words_and_a_text_are_kept(self, browser: Client, answer: Message) -> None:
        browser.post(f"/messages/{answer.pk}/bad")

        response = browser.post(
            f"/messages/{answer.pk}/why",
            {"reason": ["Unsafe", "Wrong", "made up"], "text": " It opens at ten. "},
            headers=HTMX,
        )

        assert rated(answer) == [("down", "Wrong, Unsafe\nIt opens at ten.")]
        assert "Thank you" in response.content.decode()

    def test_all_of_it_works_without_a_script(self, browser: Client, answer: Message) -> None:
        page = browser.post(f"/messages/{answer.pk}/good").content.decode()
        assert f'action="/messages/{answer.pk}/why"' in page
        assert browser.get(f"/messages/{answer.pk}/why").status_code == 200

        response = browser.post(f"/messages/{answer.pk}/why", {"text": "Yes"})
        back = browser.post(f"/messages/{answer.pk}/take-back")

        place = f"/c/{answer.conversation_id}#message-{answer.pk}"
        assert [(each.status_code, each["Location"]) for each in (response, back)] == [(303, place)] * 2

    def test_there_is_no_reason_without_a_rating(self, browser: Client, answer: Message) -> None:
        assert browser.get(f"/messages/{answer.pk}/why").status_code == 404
        assert browser.post(f"/messages/{answer.pk}/why", {"text": "Hm"}).status_code == 404

    def test_a_reason_has_a_length(self, browser: Client, answer: Message) -> None:
        browser.post(f"/messages/{answer.pk}/good")

        assert browser.post(f"/messages/{answer.pk}/why", {"text": "x" * 10_001}).status_code == 400

    def test_nobody_is_shown_it_as_markup(self, browser: Client, answer: Message) -> None:
        browser.post(f"/messages/{answer.pk}/bad")
        for payload in PAYLOADS.values():
            response = browser.post(f"/messages/{answer.pk}/why", {"text": payload}, headers=HTMX)
            assert "alert(1)" not in response.content.decode()


@pytest.mark.parametrize("verb", VERBS)
def test_an_outsider_finds_nothing(answer: Message, charlie: User, client_of: ClientOf, verb: str) -> None:
    Feedback.objects.create(message=answer, rating="up", content="Mine")

    for outsider in (Client(), client_of(charlie)):
        assert outsider.post(f"/messages/{answer.pk}/{verb}", {"text": "x"}).status_code == 404
        assert outsider.get(f"/messages/{answer.pk}/{verb}").status_code in (404, 405)
    assert rated(answer) == [("up", "Mine")]
