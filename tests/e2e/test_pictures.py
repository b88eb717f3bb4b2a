"""Pictures in a browser: attached, seen in the question, there after a reload; by paste, and without a script."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_documents import chip, choose
from tests.e2e.test_page import violations
from tests.engine.tiny_gguf import write_tiny_gguf
from tests.engine.tiny_projector import png, write_tiny_projector

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]
PICTURE = {"name": "cat.png", "mimeType": "image/png", "buffer": png("red", (300, 200))}


@pytest.fixture(scope="module")
def seeing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("seeing")
    write_tiny_gguf(folder / "tiny.gguf", context_tokens=2048, alphabet="prose", end_bias=6)
    write_tiny_projector(folder / "mmproj-tiny.gguf")
    with Server(tmp_path_factory.mktemp("seeing-data"), folder, temperature=0) as server:
        yield server


@pytest.fixture
def person(person_at: OpenWindow, seeing_server: Server) -> Person:
    return person_at(seeing_server)


def picture_in(place: Page | Locator) -> Locator:
    return place.get_by_role("img", name="cat.png")


def expect_shown(picture: Locator) -> None:
    """It is there, and its bytes have come."""
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    expect(picture).not_to_have_js_property("naturalWidth", 0)


def test_a_picture_stands_in_its_question_also_after_a_reload(person: Person) -> None:
    person.open()
    choose(person.page, PICTURE)
    expect(chip(person.page, "cat.png")).to_contain_text("300 × 200")

    person.ask("What is it?")
    expect_shown(picture_in(person.log))
    expect(chip(person.page, "cat.png")).to_have_count(0)
    expect(person.page.get_by_role("button", name="Regenerate")).to_be_visible()
    person.page.reload()

    expect_shown(picture_in(person.log))
    assert violations(person.page) == []


def test_a_picture_can_be_pasted_and_taken_back(person: Person) -> None:
    person.open()
    content = base64.b64encode(png("blue")).decode()

    person.page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), char => char.charCodeAt(0));
            const hand = new DataTransfer();
            hand.items.add(new File([bytes], "cat.png", {type: "image/png"}));
            document.querySelector("#composer-text").dispatchEvent(
                new ClipboardEvent("paste", {clipboardData: hand, bubbles: true, cancelable: true}));
        }""",
        content,
    )
    expect(chip(person.page, "cat.png")).to_contain_text("64 × 48")
    person.page.get_by_role("button", name="Remove cat.png").click()

    expect(chip(person.page, "cat.png")).to_have_count(0)


def test_it_works_without_a_script(person_at: OpenWindow, seeing_server: Server) -> None:
    person = person_at(seeing_server, java_script_enabled=False)
    person.open()
    person.page.get_by_label("Files").set_input_files([PICTURE])
    person.page.get_by_role("button", name="Attach", exact=True).click()
    expect(chip(person.page, "cat.png")).to_be_visible()

    person.ask("What is it?")

    expect(picture_in(person.page)).to_be_visible()
