"""Processes are killed in the middle of an answer."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.conftest import wait_until
from tests.e2e.people import Person
from tests.e2e.server import Server

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]


def test_a_killed_server_keeps_what_was_on_the_screen_and_can_continue(
    person_at: OpenWindow, doomed_server: Server
) -> None:
    person = person_at(doomed_server)
    person.open()
    person.ask("A story that the power cut ends")
    person.wait_for_words(600)
    # What was on the screen half a second ago is the promise; the last flush may be lost.
    seen = person.words
    person.page.wait_for_timeout(600)
    doomed_server.kill()

    doomed_server.start()
    person.page.reload()
    stored = doomed_server.reply_text(person.conversation_id)
    assert person.words.startswith(seen[:-80])
    assert doomed_server.run_status(person.conversation_id) == "interrupted"
    expect(person.answer).to_contain_text("nterrupted")
    person.expect_shown(stored)

    person.answer.get_by_role("button", name="Continue").click()
    person.wait_for_words(len(person.words) + 200)
    person.stop()
    person.wait_for_end("stopped")
    continued = doomed_server.reply_text(person.conversation_id)
    assert continued.startswith(stored)
    assert len(continued) > len(stored)
    person.expect_shown(continued)


def test_a_page_comes_back_by_itself_after_a_restart(person_at: OpenWindow, doomed_server: Server) -> None:
    person = person_at(doomed_server)
    person.open()
    person.ask("A story that is cut short")
    person.wait_for_words(300)

    doomed_server.kill()
    doomed_server.start()
    person.wait_for_end("interrupted")

    person.expect_shown(doomed_server.reply_text(person.conversation_id))


def test_a_server_that_is_told_to_end_keeps_the_text_and_says_why_it_stops(
    person_at: OpenWindow, doomed_server: Server
) -> None:
    person = person_at(doomed_server)
    person.open()
    person.ask("A story in the evening")
    person.wait_for_words(300)

    began = time.monotonic()
    exit_code = doomed_server.stop()
    took_s = time.monotonic() - began

    assert exit_code == 0
    assert took_s < 12
    assert doomed_server.run_status(person.conversation_id) == "interrupted"
    doomed_server.start()
    person.wait_for_end("interrupted")
    person.expect_shown(doomed_server.reply_text(person.conversation_id))


def test_a_killed_engine_starts_again_and_the_answer_goes_on(
    person_at: OpenWindow, doomed_server: Server
) -> None:
    person = person_at(doomed_server)
    person.open()
    person.ask("A story that outlives its engine")
    before = person.wait_for_words(500)
    engine_pid = doomed_server.engine_pid()

    doomed_server.kill_engine()
    after = person.wait_for_words(len(before) + 1_000)

    assert after.startswith(before[:-80])
    assert doomed_server.engine_pid() != engine_pid
    person.stop()
    person.wait_for_end("stopped")
    wait_until(lambda: doomed_server.run_status(person.conversation_id) == "stopped")
    person.expect_shown(doomed_server.reply_text(person.conversation_id))
