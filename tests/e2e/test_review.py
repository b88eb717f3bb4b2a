"""Feedback and review in a browser: thumbs under an answer, and the keyboard through the queue."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Fill
from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import PLACES, violations

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]


@pytest.fixture
def boss_at(person_at: OpenWindow, server: Server) -> OpenWindow:
    """Opens a window in which an administrator is signed in."""
    session = server.run_script("tests.e2e.staff", "").strip()

    def open_window(**options: object) -> Person:
        boss = person_at(server, **options)
        boss.page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])
        return boss

    return open_window


def press(page: Page, key: str) -> None:
    """Once the page's scripts are there."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def test_a_thumb_is_pressed_explained_and_taken_back(person: Person, server: Server, fill: Fill) -> None:
    person.open(fill(server, person, ["Is it open?", "Yes, until nine."]))
    good = person.page.get_by_role("button", name="Good answer")
    expect(good).to_have_attribute("aria-pressed", "false")

    good.click()

    expect(good).to_have_attribute("aria-pressed", "true")
    expect(good).to_be_focused()
    person.page.get_by_role("checkbox", name="Clear").check()
    person.page.get_by_label("In your own words").fill("Short and right")
    assert violations(person.page) == []
    person.page.get_by_role("form", name="Why?").get_by_role("button", name="Send").click()
    expect(person.page.get_by_text("Thank you.")).to_be_visible()
    person.page.reload()
    good.click()
    expect(good).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_goes_through_the_queue(
    boss_at: OpenWindow, person: Person, server: Server, fill: Fill
) -> None:
    fill(server, person, *([f"Zebra question {number}", "An answer."] for number in (1, 2)))
    boss = boss_at()
    boss.open("/review/?q=zebra")
    page = boss.page
    heading = page.get_by_role("heading", level=1)

    press(page, "j")
    expect(heading).to_have_text("Zebra question 2")
    press(page, "f")
    expect(page.get_by_role("button", name="Flagged")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("New note").press_sequentially("jk")
    expect(heading).to_have_text("Zebra question 2")
    heading.click()
    press(page, "j")
    expect(heading).to_have_text("Zebra question 1")
    press(page, "k")
    expect(heading).to_have_text("Zebra question 2")
    press(page, "u")

    expect(page).to_have_url(re.compile(r"/review/\?q=zebra$"))
    expect(page.locator(".tag.is-flagged")).to_have_text("Flagged")


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    boss_at: OpenWindow, person: Person, server: Server, fill: Fill, place: dict[str, object]
) -> None:
    answer = "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```"
    path = fill(server, person, ["A question " + "x" * 200, answer])
    boss = boss_at(**place)

    for address in (
        "/review/?status=new",
        path.replace("/c/", "/review/"),
        "/review/numbers",
        "/review/audit",
        "/engine/",
    ):
        boss.open(address)
        assert violations(boss.page) == [], address
        widths = boss.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address
