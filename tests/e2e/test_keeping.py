"""Taking chats along, bringing them in, being forgotten, and what another tab of the same person shows of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import PLACES, violations
from tests.web.keeping_files import chatgpt_chat

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]


@pytest.fixture
def export_file(tmp_path: Path) -> Path:
    """Of ChatGPT, with one chat and something that is none."""
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([chatgpt_chat(), {"title": "?"}]))
    return path


def bring_in(person: Person, file: Path) -> None:
    person.open("/account/data")
    person.page.get_by_label("Export of Parley, ChatGPT or Open WebUI").set_input_files(file)
    person.page.get_by_role("button", name="Import").click()
    expect(person.page.get_by_role("status")).to_contain_text("Done.", timeout=30_000)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    person_at: OpenWindow, server: Server, export_file: Path, place: dict[str, object]
) -> None:
    person = person_at(server, **place)
    person.open()

    bring_in(person, export_file)
    pages = [person.page.url, "/account/data", "/account/delete"]

    for address in pages:
        if address.startswith("/"):
            person.open(address)
        assert violations(person.page) == [], address
        widths = person.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address


def test_from_an_import_to_an_export_to_being_forgotten(
    person_at: OpenWindow, server: Server, export_file: Path
) -> None:
    person = person_at(server, java_script_enabled=False)
    person.open()
    bring_in(person, export_file)
    expect(person.page.get_by_text("1 added, 1 not imported")).to_be_visible()
    person.page.get_by_role("link", name="Sums", exact=True).click()
    expect(person.log).to_contain_text("It is 4.")

    person.page.get_by_role("link", name="Settings of this chat").click()
    with person.page.expect_download() as download:
        person.page.get_by_role("link", name="JSON").click()

    assert download.value.suggested_filename.startswith("sums-")
    assert "Five." in Path(download.value.path()).read_text()
    person.open("/account/data")
    person.page.get_by_role("link", name="Forget me").click()
    person.page.get_by_role("button", name="Forget me").click()
    person.open("/account/data")
    expect(person.page.get_by_text("you have 0 chats")).to_be_visible()


def test_another_tab_follows(person_at: OpenWindow, server: Server, export_file: Path) -> None:
    here = person_at(server)
    here.open()
    bring_in(here, export_file)
    here.page.get_by_role("link", name="Sums", exact=True).click()
    there = person_at(server, context=here.page.context)
    there.open(f"/c/{here.conversation_id}")
    expect(there.log).to_contain_text("It is 4.")

    here.page.get_by_role("button", name="Previous version").last.click()

    expect(there.log).to_contain_text("Five.")
    expect(there.log).not_to_contain_text("It is 4.")
    here.open(f"/c/{here.conversation_id}/rename")
    here.page.get_by_role("textbox").fill("Arithmetic")
    here.page.get_by_role("textbox").press("Enter")
    expect(there.page).to_have_title("Arithmetic · Parley")
    here.open(f"/c/{there.conversation_id}/delete")
    here.page.get_by_role("button", name="Delete").click()
    expect(there.page.get_by_role("alert").filter(has_text="This chat was deleted")).to_be_visible()
