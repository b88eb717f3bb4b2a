"""Other versions of questions and answers: both stay, arrows lead from one to the other, and a fork is a new chat."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from django.test import Client

from chat.models import Conversation, Message, Run, User
from chat.runtime import Runtime
from tests.conftest import conversation_of, long_answers, wait_for_end
from tests.web.chatting import HTMX, finished_chat

ClientOf = Callable[[User], Client]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser(runtime: Runtime, alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


@pytest.fixture
def chat(browser: Client) -> Conversation:
    """A question and its answer."""
    return conversation_of(finished_chat(browser))


def question_of(chat: Conversation) -> Message:
    return chat.messages.get(parent=None, role="user")


def last_run(chat: Conversation) -> Run:
    return wait_for_end(chat.runs.order_by("-pk")[0])


def ask_in_other_words(browser: Client, question: Message, text: str = "In other words") -> None:
    response = browser.post(f"/messages/{question.pk}/edit", {"text": text, "key": uuid.uuid4()})
    assert response.status_code == 303
    last_run(question.conversation)


class TestQuestions:
    def test_editing_keeps_the_old_branch(self, browser: Client, chat: Conversation) -> None:
        question, answer = chat.path()

        ask_in_other_words(browser, question)

        chat.refresh_from_db()
        new_question, new_answer = chat.path()
        assert new_question.text == "In other words"
        assert new_question.parent is None
        assert new_answer.text
        assert question_texts(chat) == {question.text, "In other words"}
        answer.refresh_from_db()
        assert answer.text

    def test_the_same_edit_twice_is_one_version(self, browser: Client, chat: Conversation) -> None:
        question, key = question_of(chat), uuid.uuid4()

        for _ in range(2):
            browser.post(f"/messages/{question.pk}/edit", {"text": "Again", "key": key})
            last_run(chat)

        assert chat.messages.filter(parent=None).count() == 2

    def test_an_empty_text_is_refused_and_nothing_is_made(self, browser: Client, chat: Conversation) -> None:
        response = browser.post(f"/messages/{question_of(chat).pk}/edit", {"text": "  "})

        assert response.status_code == 400
        assert chat.messages.count() == 2

    @long_answers
    def test_while_an_answer_is_written_it_has_to_wait(self, browser: Client, runtime: Runtime) -> None:
        response = browser.post("/", {"text": "Hello", "key": uuid.uuid4()})
        chat = Conversation.objects.get(pk=re.findall(r"/c/([0-9a-f-]{36})", response["Location"])[0])
        question = question_of(chat)

        refused = browser.post(f"/messages/{question.pk}/edit", {"text": "Other", "key": uuid.uuid4()})

        assert refused.status_code == 409
        runtime.runs.cancel(chat.runs.get())
        last_run(chat)


class TestAnswers:
    def test_a_changed_answer_stands_beside_the_models(self, browser: Client, chat: Conversation) -> None:
        question, answer = chat.path()

        browser.post(f"/messages/{answer.pk}/edit", {"text": "My *own* words"})

        chat.refresh_from_db()
        assert [message.text for message in chat.path()] == [question.text, "My *own* words"]
        answer.refresh_from_db()
        assert answer.text != "My *own* words"
        assert "<em>own</em>" in browser.get(f"/c/{chat.pk}").content.decode()

    def test_another_answer_is_another_version(self, browser: Client, chat: Conversation) -> None:
        answer = chat.path()[-1]

        browser.post(f"/messages/{answer.pk}/regenerate")
        last_run(chat)

        page = browser.get(f"/c/{chat.pk}").content.decode()
        assert page.count("2/2") == 1
        assert page.count("Previous version") == 2  # a label and a title


class TestVersions:
    def test_the_arrows_lead_from_one_to_the_other(self, browser: Client, chat: Conversation) -> None:
        question = question_of(chat)
        ask_in_other_words(browser, question)
        chat.refresh_from_db()
        newest = chat.leaf

        browser.post(f"/messages/{question.pk}/show")
        chat.refresh_from_db()
        assert chat.path()[0] == question
        assert chat.leaf != newest

        browser.post(f"/messages/{newest.parent_id}/show")
        chat.refresh_from_db()
        assert chat.leaf == newest

    def test_htmx_is_given_the_branch(self, browser: Client, chat: Conversation) -> None:
        question = question_of(chat)
        ask_in_other_words(browser, question)

        response = browser.post(f"/messages/{question.pk}/show", headers=HTMX)

        html = response.content.decode()
        assert f'id="message-{question.pk}"' in html
        assert "1/2" in html
        assert "In other words" not in html.split('hx-target="#conversations"')[0]

    def test_a_single_version_has_no_arrows(self, browser: Client, chat: Conversation) -> None:
        assert b"Previous version" not in browser.get(f"/c/{chat.pk}").content


class TestForks:
    def test_a_fork_has_a_copy_of_all_up_to_there(self, browser: Client, chat: Conversation) -> None:
        question, answer = chat.path()
        browser.post(f"/c/{chat.pk}/messages", {"text": "More", "key": uuid.uuid4()})
        last_run(chat)

        response = browser.post(f"/messages/{answer.pk}/fork")

        assert response.status_code == 303
        copy = Conversation.objects.exclude(pk=chat.pk).get()
        assert [message.text for message in copy.path()] == [question.text, answer.text]
        assert copy.messages.filter(pk__in=[question.pk, answer.pk]).count() == 0
        assert chat.messages.count() == 4
        assert (
            "tiny"
            in browser.get(f"/c/{copy.pk}").content.decode().split('class="facts"')[1].split("</span>")[0]
        )


@pytest.mark.parametrize("verb", ["edit", "show", "fork", "regenerate", "continue"])
def test_for_an_outsider_a_message_does_not_exist(
    chat: Conversation, charlie: User, client_of: ClientOf, verb: str
) -> None:
    for stranger in (client_of(charlie), Client()):
        for message in chat.path():
            response = stranger.post(f"/messages/{message.pk}/{verb}", {"text": "Mine now"})
            assert response.status_code == 404
            assert stranger.get(f"/messages/{message.pk}").status_code == 404
            assert stranger.get(f"/messages/{message.pk}/edit").status_code == 404
    assert chat.messages.count() == 2
    assert Conversation.objects.count() == 1


def question_texts(chat: Conversation) -> set[str]:
    return {message.text for message in chat.messages.filter(role="user")}
