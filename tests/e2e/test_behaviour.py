"""What the page does for whoever uses it, beyond showing answers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Fill
from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.e2e.test_page import violations

pytestmark = pytest.mark.browser
OpenWindow = Callable[..., Person]


def box_of(person: Person) -> Locator:
    return person.page.get_by_role("textbox", name="Message")


def chats_of(person: Person) -> Locator:
    return person.page.get_by_role("navigation", name="Conversations").get_by_role("link")


AT_END = """() => {
    const page = document.scrollingElement;
    return page.scrollHeight - page.scrollTop - innerHeight < 30;
}"""


def test_a_draft_survives_a_reload_and_leaves_when_it_is_sent(person: Person) -> None:
    person.open()
    box_of(person).fill("half a thou")
    person.page.reload()
    expect(box_of(person)).to_have_value("half a thou")

    person.ask("a whole thought")
    person.wait_for_words(10)
    person.hush()

    expect(box_of(person)).to_have_value("")
    person.open()
    expect(box_of(person)).to_have_value("")


def test_shift_enter_makes_a_new_line(person: Person) -> None:
    person.open()
    person.page.keyboard.type("one")
    person.page.keyboard.press("Shift+Enter")
    person.page.keyboard.type("two")

    expect(box_of(person)).to_have_value("one\ntwo")


def test_nothing_can_be_sent_while_there_is_nothing(person: Person) -> None:
    person.open()
    expect(person.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()

    box_of(person).fill("  \n ")

    expect(person.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()


def test_a_message_typed_while_an_answer_is_written_goes_out_after_it(person: Person) -> None:
    person.open()
    person.ask("the first question")
    person.wait_for_words(10)

    box_of(person).fill("the second question")
    box_of(person).press("Enter")
    note = person.page.get_by_text("Will be sent when the answer is finished")
    expect(note).to_be_visible()
    person.page.reload()
    expect(note).to_be_visible()
    expect(box_of(person)).to_have_value("the second question")
    person.hush()

    expect(person.log.get_by_role("article", name="You").last).to_contain_text("the second question")
    expect(person.log.get_by_role("article", name="Parley")).to_have_count(2)
    person.hush()


def test_the_last_question_is_edited_from_an_empty_box(person: Person, server: Server, fill: Fill) -> None:
    person.open(fill(server, person, ["One?", "One.", "Two?", "Two."]))

    box_of(person).press("ArrowUp")
    question = person.page.get_by_role("textbox", name="Your question")
    expect(question).to_be_focused()
    expect(question).to_have_value("Two?")
    question.press("Escape")

    expect(person.log.get_by_text("Two?")).to_be_visible()
    expect(box_of(person)).to_be_focused()


def test_a_sign_in_the_box_opens_a_menu_for_the_keyboard(person: Person) -> None:
    person.open()
    menu = person.page.get_by_role("listbox", name="Suggestions")

    box_of(person).press("/")
    expect(menu.get_by_role("option")).to_have_count(4)
    assert violations(person.page) == []
    box_of(person).press("ArrowDown")
    expect(menu.get_by_role("option", selected=True)).to_have_text("What is 12 * 34?")
    box_of(person).press("Enter")

    expect(box_of(person)).to_have_value("What is 12 * 34?")
    expect(menu).to_be_hidden()
    box_of(person).fill("")
    box_of(person).press("/")
    expect(menu).to_be_visible()
    box_of(person).press("Escape")
    expect(menu).to_be_hidden()
    expect(box_of(person)).to_have_value("/")


def test_a_chat_gets_a_title_and_can_be_renamed(person: Person) -> None:
    person.open()
    person.ask("What do foxes eat in winter?")
    person.wait_for_words(10)
    person.hush()
    person.wait_for_end("stopped|finished")
    expect(chats_of(person).first).to_contain_text("foxes")
    person.page.wait_for_load_state("networkidle")

    chats_of(person).first.dblclick()
    expect(person.page.get_by_role("textbox", name="Title")).to_be_focused()
    person.page.keyboard.type("Foxes")
    person.page.keyboard.press("Enter")

    expect(chats_of(person)).to_have_text(["Foxes"])
    person.page.reload()
    expect(chats_of(person)).to_have_text(["Foxes"])


def test_a_chat_is_deleted_after_a_question_and_comes_back_by_undo(
    person: Person, server: Server, fill: Fill
) -> None:
    person.open(fill(server, person, ["Keep me", "Yes"]))

    person.page.get_by_role("button", name="Options for Keep me").click()
    person.page.get_by_role("link", name="Delete").click()
    person.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(chats_of(person)).to_have_count(0)
    person.page.get_by_role("button", name="Undo").click()

    expect(chats_of(person)).to_have_text(["Keep me"])
    expect(person.log).to_contain_text("Keep me")


def test_each_chat_has_its_address_and_back_leads_to_the_one_before(
    person: Person, server: Server, fill: Fill
) -> None:
    fill(server, person, ["Chat one", "One"], ["Chat two", "Two"])
    person.open()

    chats_of(person).filter(has_text="Chat one").click()
    expect(person.log).to_contain_text("One")
    chats_of(person).filter(has_text="Chat two").click()
    expect(person.log).to_contain_text("Two")
    person.page.go_back()

    expect(person.log).to_contain_text("One")


def test_new_chat_is_one_key_stroke_away(person: Person, server: Server, fill: Fill) -> None:
    person.open(fill(server, person, ["Old chat", "Yes"]))

    person.page.keyboard.press("Control+Shift+O")

    expect(person.page).to_have_url(re.compile(rf"{server.url}/\??$"))
    expect(box_of(person)).to_be_focused()


def test_the_theme_and_the_folded_sidebar_are_remembered_by_the_server(person: Person) -> None:
    person.open()
    person.page.get_by_role("button", name="Dark theme").click()
    person.page.keyboard.press("Control+Shift+S")

    html = person.page.request.get(person.url).text()

    assert 'data-theme="dark"' in html
    assert 'data-sidebar="closed"' in html


def test_on_a_phone_the_sidebar_is_a_drawer(person_at: OpenWindow, server: Server) -> None:
    person = person_at(server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    person.open()
    new_chat = person.page.get_by_role("navigation", name="Conversations")
    expect(new_chat).not_to_be_in_viewport()

    person.page.get_by_label("Open the sidebar").tap()
    expect(new_chat).to_be_in_viewport()
    person.page.keyboard.press("Escape")

    expect(new_chat).not_to_be_in_viewport()


def test_scrolling_up_stops_following_and_latest_goes_back(person: Person) -> None:
    person.open()
    person.ask("A long story to scroll in")
    person.page.wait_for_function("() => document.scrollingElement.scrollHeight > innerHeight * 1.5")
    person.page.wait_for_function(AT_END)

    person.page.mouse.move(640, 300)
    person.page.mouse.wheel(0, -300)
    person.page.wait_for_timeout(600)
    assert not person.page.evaluate(AT_END)
    person.page.get_by_role("button", name="Latest").click()

    person.page.wait_for_function(AT_END)
    person.hush()


def test_nothing_more_is_asked_for_once_the_answer_is_there(person: Person) -> None:
    person.open()
    person.ask("A story and then silence")
    person.wait_for_words(10)
    person.hush()
    person.wait_for_end("stopped|finished")
    person.page.wait_for_timeout(500)

    requests: list[str] = []
    person.page.on("request", lambda request: requests.append(request.url))
    person.page.wait_for_timeout(3_500)

    assert requests == []


def test_a_post_that_fails_keeps_the_text(person_at: OpenWindow, doomed_server: Server) -> None:
    person = person_at(doomed_server)
    person.open()
    doomed_server.kill()

    person.ask("Nobody hears this")

    expect(person.page.get_by_text("Your text is still here")).to_be_visible()
    expect(box_of(person)).to_have_value("Nobody hears this")


def test_a_lost_connection_is_told_after_two_seconds(person_at: OpenWindow, doomed_server: Server) -> None:
    person = person_at(doomed_server)
    person.open()
    person.ask("A story that breaks off")
    person.wait_for_words(50)

    doomed_server.kill()

    expect(person.page.get_by_text("The connection is lost")).to_be_visible(timeout=6_000)


def test_another_tab_shows_a_new_chat_in_its_list(
    person: Person, person_at: OpenWindow, server: Server
) -> None:
    person.open()
    other = person_at(server, context=person.page.context)
    other.open()

    person.ask("A chat that the other tab hears of")
    person.wait_for_words(10)

    expect(chats_of(other).first).to_contain_text("other tab")
    person.hush()
