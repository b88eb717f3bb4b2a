"""Versions in a browser: ask in other words, switch by the arrows, fork; by mouse and keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import violations

pytestmark = pytest.mark.browser


def test_asking_in_other_words_and_switching_back(
    person_at: Callable[..., Person], starter_server: Server
) -> None:
    person = person_at(starter_server)
    person.open()
    person.ask("What is 12 * 12?")
    expect(person.answer).to_contain_text("144", timeout=60_000)
    person.wait_for_end()
    question = person.log.get_by_role("article", name="You")

    question.hover()
    question.get_by_role("button", name="Edit").click()
    box = person.log.get_by_role("textbox")
    expect(box).to_have_value("What is 12 * 12?")
    assert violations(person.page) == []
    box.fill("What is 37 * 48?")
    person.log.get_by_role("button", name="Send").click()

    expect(person.answer).to_contain_text("1776", timeout=60_000)
    expect(question).to_contain_text("2/2")
    person.wait_for_end()
    question.get_by_role("button", name="Previous version").press("Enter")
    expect(person.answer).to_contain_text("144")
    expect(question).to_contain_text("1/2")
    person.page.reload()
    expect(person.answer).to_contain_text("144")
    expect(question.get_by_role("button", name="Previous version")).to_be_disabled()

    person.answer.get_by_role("button", name="Fork").click()
    expect(person.page).to_have_title(re.compile("fork"), timeout=30_000)
    expect(person.answer).to_contain_text("144")
    expect(person.log.get_by_role("button", name="Previous version")).to_have_count(0)
