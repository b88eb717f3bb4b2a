"""A person asks, and watches the answer come."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import wait_until
from tests.e2e.people import Person, Visitor
from tests.e2e.server import Server

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]


def test_the_starter_model_answers_a_question_while_one_watches(
    person_at: OpenWindow, starter_server: Server
) -> None:
    person = person_at(starter_server)
    person.open()

    person.ask("What is the capital of France?")
    person.wait_for_end()

    assert "Paris" in person.words
    person.expect_shown(starter_server.reply_text(person.conversation_id))


def test_the_own_message_and_a_named_state_come_at_once(person: Person) -> None:
    person.open()
    person.page.get_by_role("textbox", name="Message").fill("Tell me a story")

    began = time.monotonic()
    person.page.get_by_role("button", name="Send", exact=True).click()
    expect(person.log.get_by_role("article", name="You")).to_have_text(re.compile("Tell me a story"))
    expect(person.page.get_by_role("status")).to_contain_text(
        re.compile("Starting|line|Loading|Reading|Writing")
    )
    waited_s = time.monotonic() - began

    person.hush()
    assert waited_s < 2


def test_the_answer_grows_while_it_is_written(person: Person) -> None:
    person.open()
    person.ask("Tell me a long story")

    early = person.wait_for_words(20)
    later = person.wait_for_words(len(early) + 100)
    person.hush()

    assert later.startswith(early[:-80])  # the last words of the open block may still change


def test_a_reload_in_mid_answer_goes_on_without_gap_or_repeat(person: Person, server: Server) -> None:
    person.open()
    person.ask("Tell me a story to reload")
    before = person.wait_for_words(200)

    person.page.reload()
    assert len(person.words) >= len(before)
    person.wait_for_words(len(before) + 500)
    person.page.reload()
    person.wait_for_end()

    assert server.run_status(person.conversation_id) == "done"
    person.expect_shown(server.reply_text(person.conversation_id))


def test_a_second_window_sees_the_same_stream(person: Person, person_at: OpenWindow, server: Server) -> None:
    person.open()
    person.ask("Tell me a story for two")
    person.wait_for_words(100)

    other = person_at(server, context=person.page.context)
    other.page.goto(person.page.url)
    seen = len(other.words)
    other.wait_for_words(seen + 200)
    person.wait_for_end()
    other.wait_for_end()

    assert other.words == person.words
    other.expect_shown(server.reply_text(person.conversation_id))


def test_leaving_the_page_does_not_end_the_answer(person: Person, server: Server) -> None:
    person.open()
    person.ask("Tell me a story while I am away")
    person.wait_for_words(50)
    conversation_id = person.conversation_id

    person.open("/accounts/login/")
    wait_until(lambda: server.run_status(conversation_id) == "done", timeout_s=40)
    person.open(f"/c/{conversation_id}")

    person.expect_shown(server.reply_text(conversation_id))


def test_stop_keeps_the_text_and_frees_the_slot(
    person_at: OpenWindow, chatty_models_dir: Path, tmp_path: Path
) -> None:
    with Server(tmp_path / "data", chatty_models_dir, slots=1, max_tokens=7_000) as server:
        person, next_person = person_at(server), person_at(server)
        person.open()
        person.ask("A story that I shall stop")
        before = person.wait_for_words(300)
        next_person.open()
        next_person.ask("A story that waits for the only slot")
        expect(next_person.page.get_by_role("status")).to_contain_text("line")

        person.stop()
        began = time.monotonic()
        next_person.wait_for_words(1)
        waited_s = time.monotonic() - began
        person.wait_for_end("stopped")

        assert waited_s < 2
        assert len(person.words) >= len(before)
        expect(person.answer).to_contain_text("Stopped")
        person.expect_shown(server.reply_text(person.conversation_id))


def test_another_account_finds_nothing_at_the_address(person: Person, server: Server) -> None:
    person.open()
    person.ask("A secret story")
    person.wait_for_words(20)
    person.hush()

    with Visitor(server.url) as stranger:
        assert stranger.get(f"/c/{person.conversation_id}").status_code == 404
