"""A real server, a real Chromium, and people in front of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.conftest import STARTER
from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.engine.tiny_gguf import write_tiny_gguf

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Without these it looks for updates and for its maker's hosts.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Some seconds of nonsense from the tiny model: time to reload, to look from a second window, to stop.
LONG_ANSWER_TOKENS = 2_500


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here start servers and most a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


# On a busy machine a page may take its time; nothing here is about speed.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, or a skipped test where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def chatty_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights that never comes to an end by itself, and writes slowly enough to be watched."""
    folder = tmp_path_factory.mktemp("chatty")
    write_tiny_gguf(folder / "tiny.gguf", context_tokens=8_192, alphabet="prose", num_layers=16)
    return folder


@pytest.fixture(scope="package")
def server(chatty_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose answers are long nonsense; shared, so not to be killed."""
    data_dir = tmp_path_factory.mktemp("server")
    with Server(data_dir, chatty_models_dir, max_tokens=LONG_ANSWER_TOKENS) as server:
        yield server


@pytest.fixture(scope="package")
def mortal_server(chatty_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """See `doomed_server`."""
    with Server(
        tmp_path_factory.mktemp("mortal"), chatty_models_dir, max_tokens=LONG_ANSWER_TOKENS
    ) as server:
        yield server


@pytest.fixture
def doomed_server(mortal_server: Server) -> Server:
    """One that a test may kill; the next test finds it started again."""
    if not mortal_server.is_running:
        mortal_server.start()
    return mortal_server


@pytest.fixture(scope="package")
def starter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the starter model, at temperature 0."""
    if not STARTER.exists():
        pytest.skip("the starter model is not there: make starter")
    models_dir = tmp_path_factory.mktemp("starter")
    (models_dir / STARTER.name).symlink_to(STARTER)
    with Server(tmp_path_factory.mktemp("starter-data"), models_dir, temperature=0) as server:
        yield server


class Watch:
    """Listens to a window for what must never happen on our pages."""

    def __init__(self, page: Page, url: str) -> None:
        self._host = urlsplit(url).netloc
        self.complaints: list[str] = []
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script failed: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "about") and parts.netloc != self._host:
            self.complaints.append(f"request to another host: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            self.complaints.append(message.text)


@pytest.fixture
def person_at(browser: Browser) -> Iterator[Callable[..., Person]]:
    """Opens a browser window at a server; options are those of a browser context. Its owner is `context=` if given.

    At the end of the test no window may have asked another host, met the security policy, or failed in a script.
    """
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def open_window(server: Server, *, context: BrowserContext | None = None, **options: object) -> Person:
        if context is None:
            context = browser.new_context(**options)
            context.set_default_timeout(45_000)
            contexts.append(context)
        page = context.new_page()
        watches.append(Watch(page, server.url))
        return Person(page, server.url)

    yield open_window
    complaints = [complaint for watch in watches for complaint in watch.complaints]
    for context in contexts:  # only now: what a window was still fetching fails when it is closed
        context.close()
    assert complaints == []


@pytest.fixture
def person(person_at: Callable[..., Person], server: Server) -> Person:
    """Somebody at the shared server."""
    return person_at(server)


Fill = Callable[..., str]


@pytest.fixture
def fill() -> Fill:
    """Stores conversations, each a list of questions and answers in turn, for somebody; returns the last one's path."""

    def store(server: Server, owner: Person, *conversations: list[str]) -> str:
        owner.open()
        cookies = {cookie["name"]: cookie["value"] for cookie in owner.page.context.cookies()}
        guest_key, _, _signature = cookies["parley_guest"].partition(":")
        wanted = {"guest_key": guest_key, "conversations": conversations}
        return server.run_script("tests.e2e.fill", json.dumps(wanted)).split()[-1]

    return store
