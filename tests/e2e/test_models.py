"""The models page in a browser: a download is watched, survives a killed server, and the model answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import PLACES, violations
from tests.engine.tiny_gguf import write_tiny_bert, write_tiny_gguf
from tests.hub.stand_in import PIECE_BYTES, StandIn

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]
REPO = "maker/Tiny-GGUF"
NAME = "Tiny-Q4_K_M"
PATIENCE_MS = 90_000


@contextmanager
def hub_with_models(folder: Path) -> Iterator[StandIn]:
    content = write_tiny_gguf(folder / "tiny.gguf", alphabet="prose").read_bytes()
    with StandIn({REPO: {f"{NAME}.gguf": content, "Tiny-Q8_0.gguf": content}}) as stand_in:
        yield stand_in


@contextmanager
def server_of(folder: Path, hub: StandIn) -> Iterator[Server]:
    """With a model that chats, one for search, and one that is none."""
    models_dir = folder / "models"
    models_dir.mkdir()
    write_tiny_gguf(models_dir / "tiny.gguf", alphabet="prose")
    write_tiny_bert(models_dir / "small-bert.gguf")
    (models_dir / "broken.gguf").write_text("a download that broke off")
    with Server(folder / "data", models_dir, hub_url=hub.url) as server:
        yield server


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[StandIn]:
    with hub_with_models(tmp_path) as stand_in:
        yield stand_in


@pytest.fixture
def models_server(hub: StandIn, tmp_path: Path) -> Iterator[Server]:
    """For tests that pull and kill."""
    with server_of(tmp_path, hub) as server:
        yield server


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For tests that change nothing."""
    folder = tmp_path_factory.mktemp("looked-at")
    with hub_with_models(folder) as hub, server_of(folder, hub) as server:
        yield server


@pytest.fixture
def boss_at(person_at: OpenWindow) -> OpenWindow:
    """Opens a window in which an administrator is signed in."""

    def open_window(server: Server, **options: object) -> Person:
        session = server.run_script("tests.e2e.staff", "").strip()
        boss = person_at(server, **options)
        boss.page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])
        return boss

    return open_window


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    boss_at: OpenWindow, looked_at: Server, place: dict[str, object]
) -> None:
    boss = boss_at(looked_at, **place)

    for address in ("/models/", f"/models/pull?name={REPO}", "/models/tiny/remove", "/models/pull?name=x"):
        boss.open(address)
        assert violations(boss.page) == [], address
        widths = boss.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address


def test_a_model_is_pulled_through_a_killed_server_and_removed(
    boss_at: OpenWindow, hub: StandIn, models_server: Server
) -> None:
    hub.hold_at = 3 * PIECE_BYTES
    boss = boss_at(models_server)
    page = boss.page
    boss.open("/models/")
    page.get_by_label("Name on the Hugging Face hub").fill(REPO)
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("heading", name=f"Download {NAME}?")).to_be_visible()
    page.get_by_role("button", name="Download").click()
    bar = page.get_by_role("progressbar", name=f"Download of {NAME}")
    expect(bar).not_to_have_attribute("value", "0", timeout=PATIENCE_MS)
    assert violations(page) == []

    models_server.kill()
    hub.hold_at = None
    hub.go_on.set()
    models_server.start()

    # The same page, never loaded again.
    expect(page.get_by_text("Downloaded, ")).to_be_visible(timeout=PATIENCE_MS)
    assert [asked.range for asked in hub.downloads()] == [None, f"bytes={3 * PIECE_BYTES}-"]
    page.get_by_role("button", name=f"Load {NAME}").click()
    expect(page.get_by_role("button", name=f"Unload {NAME}")).to_be_visible()
    expect(page.locator(f'[id="model-{NAME}"]').get_by_text("Loaded", exact=True)).to_be_visible(
        timeout=PATIENCE_MS
    )
    page.get_by_role("link", name=f"Remove {NAME}").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    expect(page.get_by_role("link", name=f"Remove {NAME}")).to_have_count(0)


def test_without_scripts_the_page_follows_by_itself(
    boss_at: OpenWindow, hub: StandIn, models_server: Server
) -> None:
    boss = boss_at(models_server, java_script_enabled=False)
    page = boss.page
    hub.go_on.clear()
    hub.hold_at = PIECE_BYTES
    boss.open(f"/models/pull?name={REPO}:Q8_0")
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_role("progressbar")).to_be_visible()

    hub.go_on.set()

    entry = page.locator('[id="pull-Tiny-Q8_0"]')
    expect(entry.get_by_text("Downloaded, ")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Dismiss Tiny-Q8_0").click()
    expect(entry).to_have_count(0)
