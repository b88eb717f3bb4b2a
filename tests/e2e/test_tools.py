"""What a person sees of tools and sources: cards that come and fold, numbers that show their passage."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from chat.domain.events import (
    ApprovalAsked,
    Event,
    RunFinished,
    RunStarted,
    Source,
    SourcesFound,
    TextDelta,
    ToolFinished,
    ToolStarted,
    event_to_dict,
    kind_of,
)
from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import PHONE, PLACES, violations
from tests.web.xss_payloads import PAYLOADS

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]
GUIDE = Source(1, "Guide.pdf", "Laid out in 1750. " * 30, str(uuid.UUID(int=7)), 3, 10, 90, 1, None, 0.016)
CITING = [
    RunStarted("starter"),
    SourcesFound((GUIDE, Source(2, "notes.md", "Three ponds.")), is_lexical=True),
    TextDelta("Laid out in 1750 [1]. It has three ponds [2]."),
    RunFinished("stop"),
]
CALLING = [
    RunStarted("starter"),
    ToolStarted("c1", "calculator", {"expression": "37 * 48"}),
    ToolStarted("c2", "fetch_url", {"url": "https://example.org/" + "a" * 300}),
    ToolFinished("c2", "fetch_url", "Timed out. " * 3_000, is_error=True, duration_ms=10_000),
    ToolFinished("c1", "calculator", "1776", is_error=False, duration_ms=12),
    TextDelta("It is 1,776."),
    RunFinished("stop"),
]


def store(server: Server, owner: Person, *answers: list[Event]) -> str:
    """A conversation of the owner's with these answers; returns its path. An answer without an end is live."""
    owner.open()
    cookies = {cookie["name"]: cookie["value"] for cookie in owner.page.context.cookies()}
    turns = [
        {"question": "Why?", "events": [[kind_of(event), event_to_dict(event)] for event in events]}
        for events in answers
    ]
    wanted = {"guest_key": cookies["parley_guest"].partition(":")[0], "turns": turns}
    return server.run_script("tests.e2e.fill_runs", json.dumps(wanted)).split()[-1]


def card_of(person: Person, name: str = "calculator") -> Locator:
    return person.answer.get_by_role("group", name=f"Tool: {name}")


def test_the_calculators_card_comes_folds_and_is_there_after_a_reload(
    person_at: OpenWindow, starter_server: Server
) -> None:
    person = person_at(starter_server)
    person.open()
    person.ask("What is 37 * 48?")

    expect(card_of(person)).to_be_visible(timeout=40_000)
    person.wait_for_end()
    expect(person.answer).to_contain_text(re.compile("1,?776"))
    assert card_of(person).get_attribute("open") is None
    words = person.words

    person.page.reload()
    assert person.words == words
    card_of(person).locator("summary").click()
    expect(card_of(person)).to_contain_text("37 * 48")


def test_a_card_that_is_sent_anew_stays_as_its_reader_left_it(person: Person, server: Server) -> None:
    person.open(store(server, person, CALLING))
    card = card_of(person)
    card.locator("summary").click()

    person.page.evaluate(
        """() => {
            const card = document.querySelector(".tool");
            const html = card.outerHTML.replace(' open=""', "");
            htmx.swap({ sourceElement: document.body, target: card, swap: "outerHTML", text: html });
        }"""
    )

    expect(card).to_have_attribute("open", "")
    expect(card.locator("summary")).to_be_focused()


def test_a_long_output_scrolls_inside_its_card(person: Person, server: Server) -> None:
    person.open(store(server, person, CALLING))

    card_of(person, "fetch_url").locator("summary").click()

    assert card_of(person, "fetch_url").locator("pre").last.bounding_box()["height"] <= 240


def test_a_running_tool_says_for_how_long(person: Person, server: Server) -> None:
    person.open(store(server, person, CALLING[:2]))

    expect(card_of(person).locator(".tool-time")).to_have_text(re.compile(r"\d s$"))


def test_a_late_permission_is_told_in_place(person: Person, server: Server) -> None:
    person.open(store(server, person, [*CALLING[:2], ApprovalAsked("c1")]))
    assert violations(person.page) == []

    card_of(person).get_by_role("button", name="Allow").click()

    expect(person.page.get_by_role("alert")).to_contain_text("Nothing is being asked here any more")


def test_a_citation_shows_its_passage_on_focus_and_escape_closes_it(person: Person, server: Server) -> None:
    person.open(store(server, person, CITING))
    citation = person.answer.get_by_role("link", name="Source 1")
    passage = person.answer.locator(".source-card").first
    expect(passage).to_be_hidden()

    for _ in range(20):
        person.page.keyboard.press("Shift+Tab")
        if citation.evaluate("link => link === document.activeElement"):
            break
    expect(passage).to_be_visible()
    expect(passage).to_contain_text("Guide.pdf")
    person.page.keyboard.press("Escape")

    expect(passage).to_be_hidden()
    expect(citation).to_be_focused()


def test_a_citation_shows_its_passage_while_the_pointer_is_on_either(person: Person, server: Server) -> None:
    person.open(store(server, person, CITING))
    passage = person.answer.locator(".source-card").first

    person.answer.get_by_role("link", name="Source 1").hover()
    expect(passage).to_be_visible()
    passage.hover()
    person.page.wait_for_timeout(300)
    expect(passage).to_be_visible()
    person.page.mouse.move(5, 5)

    expect(passage).to_be_hidden()


def test_the_sources_open_and_say_why(person: Person, server: Server) -> None:
    person.open(store(server, person, CITING))
    sources = person.answer.get_by_role("region", name="Sources", exact=True)

    sources.get_by_text("2 sources").click()
    expect(sources.get_by_role("link", name="Open document")).to_have_attribute(
        "href", re.compile("/documents/")
    )
    sources.get_by_text("Why these").click()

    expect(sources.get_by_role("table")).to_contain_text("0.0160")


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_axe_finds_nothing_in_cards_and_sources(
    person_at: OpenWindow, server: Server, place: dict[str, object]
) -> None:
    person = person_at(server, **place)
    person.open(store(server, person, CITING, CALLING, CITING))
    for summary in person.log.locator("summary:visible").all():
        summary.click()
    person.log.get_by_role("link", name="Source 1").last.focus()

    assert violations(person.page) == []


def test_cards_and_sources_fit_on_a_phone(person_at: OpenWindow, server: Server) -> None:
    person = person_at(server, viewport=PHONE, has_touch=True, is_mobile=True)
    person.open(store(server, person, CITING, CALLING))
    for summary in person.log.locator("summary:visible").all():
        summary.click()

    widths = person.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


def test_hostile_tools_and_documents_do_nothing(person: Person, server: Server) -> None:
    answers = [
        [
            SourcesFound((Source(1, text, text),)),
            ToolStarted("c1", text, {text: text}),
            ToolFinished("c1", text, text, is_error=True, duration_ms=1),
            TextDelta(f"Look [1] {text}"),
            RunFinished("stop"),
        ]
        for text in list(PAYLOADS.values())[:24]  # a page shows 50 messages
    ]
    path = store(server, person, *answers)

    person.open(path)
    for summary in person.log.locator("summary:visible").all():
        summary.evaluate("summary => summary.click()")
    person.page.wait_for_timeout(200)

    assert person.page.url.startswith(server.url + path)  # and the window's watch has seen nothing
