"""The pages of flows and API keys in a browser: who can use them, and what needs a script."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

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


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    boss_at: OpenWindow, place: dict[str, object]
) -> None:
    boss = boss_at(**place)

    for address in ("/flows/", "/flows/new", "/keys/", "/collections/"):
        boss.open(address)
        assert violations(boss.page) == [], address
        widths = boss.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address


def test_from_a_new_flow_to_its_starter_prompts(boss_at: OpenWindow) -> None:
    shop = f"Shoe shop {uuid.uuid4().hex[:8]}"
    boss = boss_at()
    boss.open()
    boss.page.get_by_role("button", name="Account boss").click()
    boss.page.get_by_role("link", name="Flows").click()
    boss.page.get_by_role("link", name="New flow").click()
    boss.page.get_by_label("Name").fill(shop)
    boss.page.get_by_label("Starter prompts").fill("Which shoes?")
    boss.page.get_by_role("button", name="Create").click()
    expect(boss.page.get_by_role("link", name=shop, exact=True)).to_be_visible()

    boss.open()
    boss.page.get_by_label("Assistant").select_option(label=shop)

    expect(boss.page.get_by_role("button", name="Which shoes?")).to_be_visible()
    boss.open("/flows/")
    boss.page.get_by_role("link", name=shop, exact=True).click()
    boss.page.get_by_role("link", name="Delete").click()
    boss.page.get_by_role("button", name="Delete").click()
    expect(boss.page.get_by_role("link", name=shop, exact=True)).to_have_count(0)


def test_a_collection_is_made_filled_and_emptied(boss_at: OpenWindow) -> None:
    boss = boss_at()
    boss.open("/collections/")
    boss.page.get_by_label("Name").fill(f"Handbook {uuid.uuid4().hex[:8]}")
    boss.page.get_by_role("button", name="Create").click()
    file = {"name": "manual.md", "mimeType": "text/markdown", "buffer": b"# Press the red button"}

    boss.page.get_by_label("Files").set_input_files([file])

    row = boss.page.get_by_role("listitem").filter(has_text="manual.md")
    expect(row).to_contain_text("Ready", timeout=30_000)
    expect(row).to_contain_text("words only")
    assert violations(boss.page) == []
    row.get_by_role("button", name="Remove manual.md").click()
    expect(row).to_have_count(0)
