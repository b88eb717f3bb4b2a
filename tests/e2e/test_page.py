"""What the page weighs, whom it asks, and who can use it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Fill
from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.web.test_markdown_stream import DOCUMENT
from tests.web.xss_payloads import PAYLOADS

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]
MAX_FIRST_VISIT_BYTES = 150_000
PHONE = {"width": 390, "height": 844}
SMALL_PHONE = {"width": 320, "height": 568}


def transferred_bytes(page: Page, url: str) -> int:
    """What a first visit brings over the wire, headers included."""
    session = page.context.new_cdp_session(page)
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    session.send("Network.enable")
    page.goto(url, wait_until="networkidle")
    return sum(sizes)


def test_the_first_visit_is_light(person: Person, server: Server) -> None:
    weight = transferred_bytes(person.page, server.url)

    print(f"first visit: {weight:,} bytes")
    assert weight <= MAX_FIRST_VISIT_BYTES


def test_a_conversation_of_a_thousand_messages_opens_at_once(
    person: Person, server: Server, fill: Fill
) -> None:
    texts = [f"Question or answer {n} with **some** words and `code`." for n in range(1_000)]
    path = fill(server, person, texts)

    took_s = []
    for _ in range(5):
        began = time.monotonic()
        answer = person.page.request.get(server.url + path)
        took_s.append(time.monotonic() - began)
        assert answer.status == 200
    person.open(path)

    print(f"1,000 messages: {min(took_s) * 1000:.0f} ms")
    assert min(took_s) < 0.5
    expect(person.log).to_contain_text("Question or answer 999")


PLACES = {
    "wide": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE, "has_touch": True},
}


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:150]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing(
    person_at: OpenWindow, server: Server, fill: Fill, place: dict[str, object]
) -> None:
    person = person_at(server, **place)
    path = fill(server, person, ["Show me all of it", DOCUMENT, "Thanks", "You are **welcome**."])

    for address in (
        "/",
        path,
        "/accounts/login/",
        "/accounts/signup/",
        "/no-such-page",
        f"{path}/rename",
        f"{path}/delete",
        "/api/docs",
    ):
        person.open(address)
        assert violations(person.page) == [], address


def test_axe_finds_nothing_while_an_answer_is_written(person: Person) -> None:
    person.open()
    person.ask("A story to look at")
    person.wait_for_words(100)

    found = violations(person.page)
    person.hush()

    assert found == []


@pytest.mark.parametrize("viewport", [PHONE, SMALL_PHONE], ids=["390", "320"])
def test_nothing_scrolls_sideways_on_a_phone(
    person_at: OpenWindow, server: Server, fill: Fill, viewport: dict[str, int]
) -> None:
    person = person_at(server, viewport=viewport, has_touch=True, is_mobile=True)
    path = fill(
        server,
        person,
        ["w" * 300, DOCUMENT + "| wide " * 40 + "|\n" + "|---" * 40 + "|\n\n`" + "c" * 300 + "`"],
    )

    for address in ("/", path, "/accounts/login/", "/api/docs"):
        person.open(address)
        widths = person.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address


def test_hostile_answers_do_nothing(person: Person, server: Server, fill: Fill) -> None:
    texts = [text for payload in PAYLOADS.values() for text in (payload, payload)]
    path = fill(server, person, texts)
    person.page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('Refused to', e.blockedURI))"
    )

    for before in ("", *[f"?before={n}" for n in _message_ids(server, path)[::40]]):
        person.open(path + before)
        person.page.wait_for_timeout(200)

    assert person.page.url.startswith(server.url + path)  # and the window's watch has seen nothing


def test_hostile_titles_do_nothing(person: Person, server: Server, fill: Fill) -> None:
    payloads = list(PAYLOADS.values())[:50]  # the list shows 60
    fill(server, person, *([payload, "ok"] for payload in payloads))

    person.open()

    expect(person.page.get_by_role("navigation", name="Conversations").get_by_role("link")).to_have_count(
        len(payloads)
    )


def test_without_javascript_a_person_posts_reads_and_refreshes(person_at: OpenWindow, server: Server) -> None:
    person = person_at(server, java_script_enabled=False)
    person.open()

    person.ask("A story without scripts")
    expect(person.log.get_by_role("article", name="You")).to_contain_text("A story without scripts")
    conversation_id = person.conversation_id
    seen = []
    while server.run_status(conversation_id) in ("queued", "running"):
        person.open(f"/c/{conversation_id}")
        seen.append(len(person.words))
        person.page.wait_for_timeout(500)
    person.open(f"/c/{conversation_id}")

    assert seen == sorted(seen)
    assert seen[0] < seen[-1] <= len(person.words)
    expect(person.page.get_by_role("button", name="Send")).to_be_visible()


def test_without_javascript_an_answer_can_be_stopped(person_at: OpenWindow, server: Server) -> None:
    person = person_at(server, java_script_enabled=False)
    person.open()
    person.ask("A story to stop without scripts")

    person.stop()
    person.open(f"/c/{person.conversation_id}")

    expect(person.answer).to_contain_text("Stopped")


def test_the_page_can_be_used_by_keyboard_alone(person: Person) -> None:
    person.open()
    expect(person.page.get_by_role("textbox", name="Message")).to_be_focused()

    person.page.keyboard.type("A story by keyboard")
    person.page.keyboard.press("Enter")
    person.wait_for_words(50)
    person.page.keyboard.press("Escape")

    person.wait_for_end("stopped")


def test_code_is_copied_without_its_label(person_at: OpenWindow, server: Server, fill: Fill) -> None:
    person = person_at(server, permissions=["clipboard-read", "clipboard-write"])
    person.open(fill(server, person, ["Code, please", "```py\ndef f():\n    return 1\n```"]))

    person.page.get_by_role("button", name="Copy code").click()

    assert person.page.evaluate("navigator.clipboard.readText()") == "def f():\n    return 1\n"


def _message_ids(server: Server, path: str) -> list[int]:
    rows = server.stored(
        "SELECT id FROM chat_message WHERE conversation_id = ? ORDER BY id", path[3:].replace("-", "")
    )
    return [int(str(row[0])) for row in rows]
