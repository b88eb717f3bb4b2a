"""Finding chats in a browser: the search box, the palette, the endless list, and what is done with rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Fill
from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import PLACES, violations

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]
LONG = [f"Turn {n} of a long talk." for n in range(60)]


def open_palette(person: Person) -> None:
    person.page.keyboard.press("Control+k")
    expect(person.page.get_by_role("combobox", name="Find a chat or a command")).to_be_focused()


def test_what_was_said_is_found_as_one_types_and_shown_in_its_place(
    person: Person, server: Server, fill: Fill
) -> None:
    talk = [*LONG]
    talk[12] = "The lighthouse of Genoa"
    fill(server, person, talk, ["Something else", "Yes"])
    person.open()
    box = person.page.get_by_role("searchbox", name="Search conversations")

    box.press_sequentially("lightho")
    hit = person.page.get_by_role("link", name="Turn 0 of a long talk. The lighthouse of Genoa")
    expect(hit.locator("mark")).to_have_text("lighthouse")
    expect(person.page.get_by_role("link", name="Something else")).to_be_hidden()
    box.press("ArrowDown")
    person.page.keyboard.press("Enter")

    expect(person.log.get_by_text("The lighthouse of Genoa")).to_be_in_viewport()
    person.page.get_by_role("searchbox", name="Search conversations").fill("lightho")
    expect(hit).to_be_visible()
    person.page.keyboard.press("Escape")
    expect(hit).to_have_count(0)
    expect(person.page.get_by_role("link", name="Something else")).to_be_visible()


def test_the_list_goes_on_while_one_scrolls_and_rows_can_be_pinned_and_archived(
    person: Person, server: Server, fill: Fill
) -> None:
    fill(server, person, *([f"Chat {n}."] for n in range(70)))
    person.open()
    rows = person.page.locator("#conversations .conversation")
    expect(rows).to_have_count(50)

    rows.last.scroll_into_view_if_needed()
    person.page.get_by_role("link", name="Older chats").scroll_into_view_if_needed()
    expect(rows).to_have_count(70)

    person.page.get_by_role("link", name="Chat 0.", exact=True).hover()
    person.page.get_by_role("button", name="Options for Chat 0.").click()
    person.page.get_by_role("button", name="Pin", exact=True).click()
    expect(rows.first).to_contain_text("Chat 0.")
    expect(rows).to_have_count(70)

    person.page.get_by_role("link", name="Chat 69.", exact=True).hover()
    person.page.get_by_role("button", name="Options for Chat 69.").click()
    person.page.get_by_role("button", name="Archive", exact=True).click()
    expect(rows).to_have_count(69)


def test_the_palette_by_keyboard(person: Person, server: Server, fill: Fill) -> None:
    path = fill(server, person, ["Plans for the garden", "Plant roses."])
    person.open()
    message = person.page.get_by_role("textbox", name="Message")
    expect(message).to_be_focused()

    person.page.keyboard.press("Control+k")
    palette = person.page.get_by_role("dialog", name="Find a chat or a command")
    expect(palette.get_by_role("combobox")).to_be_focused()
    person.page.keyboard.press("Escape")
    expect(palette).to_have_count(0)
    expect(message).to_be_focused()

    open_palette(person)
    person.page.keyboard.type("dark")
    expect(palette.get_by_role("option")).to_have_count(1)
    person.page.keyboard.press("Enter")
    expect(person.page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(palette).to_have_count(0)

    open_palette(person)
    person.page.keyboard.type("garden")
    expect(palette.get_by_role("option")).to_have_count(2)
    person.page.keyboard.press("ArrowDown")
    person.page.keyboard.press("ArrowUp")
    person.page.keyboard.press("Enter")
    person.page.wait_for_url(f"**{path}")

    person.page.keyboard.press("Control+/")
    expect(person.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    person_at: OpenWindow, server: Server, fill: Fill, place: dict[str, object]
) -> None:
    person = person_at(server, **place)
    path = fill(server, person, ["A question about boats " * 8, "Boats float."])

    for address in ("/chats/", "/chats/?q=boats", "/chats/?archived", f"{path}/tags", "/shortcuts"):
        person.open(address)
        assert violations(person.page) == [], address
        widths = person.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address
    person.open(path)
    open_palette(person)
    person.page.keyboard.type("boats")
    expect(person.page.get_by_role("option")).to_have_count(2)  # the title and the message
    assert violations(person.page) == []
