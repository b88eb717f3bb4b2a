"""The live page of the engines in a browser: it follows by itself, and is whole without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_review import boss_at

__all__ = ["boss_at"]  # a fixture

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]


def test_the_page_follows_an_answer_while_it_is_written(
    boss_at: OpenWindow, person: Person, server: Server
) -> None:
    boss = boss_at()
    boss.open("/engine/")
    written = boss.page.get_by_role("img").first
    boss.page.evaluate("document.querySelector('#engine').kept = true")

    person.open()
    person.ask("Tell me everything")

    expect(written).to_have_accessible_name(re.compile("Latest: [1-9]"))
    assert written.locator("path").get_attribute("d")
    assert boss.page.evaluate("document.querySelector('#engine').kept"), "the page was changed, not replaced"


def test_without_scripts_the_page_is_whole(boss_at: OpenWindow) -> None:
    boss = boss_at(java_script_enabled=False)

    boss.open("/engine/")

    expect(boss.page.get_by_role("heading", name="tiny")).to_be_visible()
    expect(boss.page.get_by_role("img")).to_have_count(7)
    expect(boss.page.locator("main noscript")).to_be_visible()  # how to see newer figures
