"""Sharing in a browser: one window makes a link, another without an account follows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Fill
from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.web.test_markdown_stream import DOCUMENT

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]
PHONE = {"width": 390, "height": 844}


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:150]}" for rule in found for node in rule["nodes"]]


def shared_link(owner: Person, kind: str) -> str:
    """Make a link in the dialog; the path of its address."""
    owner.page.get_by_role("button", name="Share", exact=True).click()
    dialog = owner.page.get_by_role("dialog", name="Share")
    dialog.get_by_role("radio", name=kind).check()
    dialog.get_by_role("button", name="Create link").click()
    address = dialog.get_by_role("textbox", name="Link").input_value()
    assert address.startswith(f"{owner.url}/s/")
    return address.removeprefix(owner.url)


def test_a_viewer_watches_the_answer_until_the_link_is_revoked(person_at: OpenWindow, server: Server) -> None:
    owner, viewer = person_at(server), person_at(server, viewport=PHONE, color_scheme="dark")
    owner.open()
    owner.ask("A long story")
    owner.wait_for_words(40)
    path = shared_link(owner, "Live")
    assert violations(owner.page) == []

    viewer.open(path)
    expect(viewer.log).to_contain_text("A long story")
    viewer.wait_for_words(len(viewer.words) + 40)  # it grows while they look on
    assert violations(viewer.page) == []
    owner.page.get_by_role("dialog", name="Share").get_by_role("button", name="Revoke").click()

    expect(viewer.page.get_by_text("This link has been closed")).to_be_visible(timeout=20_000)
    expect(viewer.page.get_by_text("A long story")).to_have_count(0)
    viewer.page.reload()
    expect(viewer.page.get_by_role("heading", name="Not found")).to_be_visible()
    owner.page.keyboard.press("Escape")
    owner.hush()


def test_a_viewer_without_scripts_reads_and_continues(
    person_at: OpenWindow, server: Server, fill: Fill
) -> None:
    owner = person_at(server, viewport=PHONE)
    owner.open(fill(server, owner, ["Show me all of it", DOCUMENT]))
    path = shared_link(owner, "A frozen copy")
    viewer = person_at(server, viewport=PHONE, java_script_enabled=False)

    viewer.open(path)
    expect(viewer.log).to_contain_text("Show me all of it")
    viewer.page.get_by_role("button", name="Continue this chat").click()

    expect(viewer.page.get_by_role("textbox", name="Message")).to_be_visible()
    expect(viewer.log).to_contain_text("Show me all of it")
    assert viewer.conversation_id != owner.conversation_id


def test_the_pages_fit_a_phone_and_axe_finds_nothing(
    person_at: OpenWindow, server: Server, fill: Fill
) -> None:
    owner = person_at(server, viewport=PHONE, has_touch=True, is_mobile=True)
    chat = fill(server, owner, ["w" * 300, DOCUMENT])
    owner.open(chat)
    path = shared_link(owner, "A frozen copy")
    assert violations(owner.page) == []

    owner.open("/links/")
    one = owner.page.get_by_role("link", name="Address and QR code").first.get_attribute("href")
    for address in (path, f"{chat}/share", "/links/", str(one)):
        owner.open(address)
        widths = owner.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address
        assert violations(owner.page) == [], address
