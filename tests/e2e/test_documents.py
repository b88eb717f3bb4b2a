"""Documents in a browser: attached by button, by dropping and by pasting; read, opened, removed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import PLACES, violations

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]
NOTES = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"The shop opens at nine."}
PICTURE = {"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG"}


def choose(page: Page, *files: dict[str, object]) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach").click()
    chooser.value.set_files(list(files))


def chip(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has_text=name)


def expect_ready(page: Page, name: str) -> None:
    expect(chip(page, name)).to_contain_text("Ready", timeout=30_000)


def files_in_hand(page: Page, *names: str) -> object:
    """What a person drags over the page, or has copied."""
    return page.evaluate_handle(
        """names => {
            const hand = new DataTransfer();
            for (const name of names) hand.items.add(new File([`Words of ${name}`], name, {type: "text/plain"}));
            return hand;
        }""",
        list(names),
    )


def test_a_chosen_file_goes_from_its_chip_to_the_viewer_and_away(person: Person) -> None:
    person.open()
    choose(person.page, NOTES)
    expect_ready(person.page, "notes.txt")

    person.page.reload()
    with person.page.expect_popup() as popup:
        person.page.get_by_role("link", name="notes.txt").click()
    expect(popup.value.get_by_role("main")).to_contain_text("The shop opens at nine.")
    person.page.get_by_role("button", name="Remove notes.txt").click()

    expect(chip(person.page, "notes.txt")).to_have_count(0)


def test_files_can_be_dropped_anywhere_on_the_page(person: Person) -> None:
    person.open()
    hand = files_in_hand(person.page, "one.txt", "two.md")

    person.page.dispatch_event("body", "dragenter", {"dataTransfer": hand})
    expect(person.page.get_by_text("Drop files to attach them")).to_be_visible()
    person.page.dispatch_event("body", "drop", {"dataTransfer": hand})

    expect(person.page.get_by_text("Drop files to attach them")).to_be_hidden()
    for name in ("one.txt", "two.md"):
        expect_ready(person.page, name)


def test_files_can_be_pasted(person: Person) -> None:
    person.open()
    hand = files_in_hand(person.page, "copied.txt")

    person.page.evaluate(
        "hand => document.querySelector('#composer-text').dispatchEvent("
        "new ClipboardEvent('paste', {clipboardData: hand, bubbles: true, cancelable: true}))",
        hand,
    )

    expect_ready(person.page, "copied.txt")


def test_a_long_text_that_is_pasted_can_become_a_file(person_at: OpenWindow, server: Server) -> None:
    person = person_at(server, permissions=["clipboard-read", "clipboard-write"])
    person.open()
    box = person.page.get_by_role("textbox", name="Message")
    box.fill("Sum this up: ")
    person.page.evaluate("navigator.clipboard.writeText('A long story. '.repeat(400))")
    box.press("End")
    box.press("ControlOrMeta+v")

    person.page.get_by_role("button", name="Attach it as a file").click()

    expect(box).to_have_value("Sum this up: ")
    expect_ready(person.page, "Pasted text.txt")
    expect(chip(person.page, "Pasted text.txt")).to_contain_text("5.5 KB")


def test_a_message_waits_for_files_that_are_on_their_way_and_takes_them_along(person: Person) -> None:
    person.open()
    held: list[Route] = []
    person.page.route("**/attachments/", lambda route: held.append(route))
    choose(person.page, NOTES)
    person.ask("When does it open?")
    expect(person.page.get_by_text("Will be sent when the files have arrived")).to_be_visible()

    held.pop().continue_()

    expect(person.log.get_by_role("article", name="You")).to_contain_text("When does it open?")
    expect(person.page).to_have_url(re.compile("/c/"))
    expect_ready(person.page, "notes.txt")
    person.hush()


def test_what_cannot_be_read_says_so_and_does_not_hold_up_the_rest(person: Person) -> None:
    person.open()

    choose(person.page, PICTURE, NOTES)

    expect(chip(person.page, "photo.png")).to_contain_text("cannot see pictures")
    expect_ready(person.page, "notes.txt")
    person.page.get_by_role("button", name="Remove photo.png").click()
    expect(chip(person.page, "photo.png")).to_have_count(0)


def test_a_file_that_is_too_large_is_not_even_sent(person: Person) -> None:
    person.open()
    person.page.evaluate("document.querySelector('[data-attach]').dataset.maxMb = '0.00001'")

    choose(person.page, NOTES)

    expect(chip(person.page, "notes.txt")).to_contain_text("Larger than 0.00001 MB")


def test_without_javascript_files_come_by_a_form(person_at: OpenWindow, server: Server) -> None:
    person = person_at(server, java_script_enabled=False)
    person.open()

    person.page.get_by_label("Files").set_input_files([NOTES])
    person.page.get_by_role("button", name="Attach").click()
    expect(chip(person.page, "notes.txt")).to_be_visible()
    person.ask("When does it open?")

    expect(person.log.get_by_role("article", name="You")).to_contain_text("When does it open?")
    expect(chip(person.page, "notes.txt")).to_be_visible()
    person.stop()


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    person_at: OpenWindow, server: Server, place: dict[str, object]
) -> None:
    person = person_at(server, **place)
    person.open()
    long_name = {**NOTES, "name": "a" * 120 + ".txt", "buffer": b"Other words."}
    choose(person.page, NOTES, PICTURE, long_name)
    expect_ready(person.page, "aaa")
    chips = violations(person.page), widths(person.page)
    address = person.page.get_by_role("link", name="notes.txt").get_attribute("href")
    person.open(f"{address}?start=4&end=8#passage")
    viewer = violations(person.page), widths(person.page)

    assert chips[0] == viewer[0] == []
    assert chips[1][0] <= chips[1][1]
    assert viewer[1][0] <= viewer[1][1]


def widths(page: Page) -> list[int]:
    found: list[int] = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found
