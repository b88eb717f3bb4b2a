"""What the message box offers as one types, and documents of other chats that are attached by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from chat.models import Collection, Conversation, Flow, User
from chat.runtime import Runtime
from chat.web.flow_choice import STARTERS
from tests.engine.tiny_gguf import write_tiny_gguf
from tests.web.chatting import HTMX
from tests.web.filing import chat_of, collection_with, document_of
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]
Offers = list[tuple[str, str, str]]


@pytest.fixture
def browser(runtime: Runtime, alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def offers(browser: Client, sign: str, words: str = "", chat: Conversation | None = None) -> Offers:
    """What can be chosen: what it does, its value, its title."""
    headers = {**HTMX, "HX-Current-URL": f"http://testserver/c/{chat.pk}" if chat else "http://testserver/"}
    response = browser.get("/composer-menu", {"sign": sign, "q": words}, headers=headers)
    assert response.status_code == 200, response.content
    found = re.findall(
        r'role="option"[^>]* data-act="(\w+)" data-value="([^"]*)"><span class="hit-title">(.*?)</span>',
        response.content.decode(),
    )
    return [(act, unescape(value), unescape(title)) for act, value, title in found]


def test_a_slash_offers_the_prompts_of_the_assistant(browser: Client, alice: User) -> None:
    chat = chat_of(alice)
    assert [title for _, _, title in offers(browser, "/", chat=chat)] == list(STARTERS)
    chat.flow = Flow.objects.create(name="Clerk", starter_prompts=["Write a letter", "Add numbers"])
    chat.save()

    found = offers(browser, "/", "letter", chat)

    assert found == [("write", "Write a letter", "Write a letter")]


def test_an_at_sign_offers_models_and_assistants_where_there_is_a_choice(
    browser: Client, alice: User, runtime: Runtime
) -> None:
    assert offers(browser, "@") == []
    flow = Flow.objects.create(name="Clerk")
    other = runtime.conf.models_dir / "other.gguf"
    write_tiny_gguf(other)
    try:
        new_chat = offers(browser, "@")
        begun = offers(browser, "@", chat=chat_of(alice))
    finally:
        other.unlink()  # the folder is every test's

    assert ("model", "other", "other") in new_chat
    assert ("flow", str(flow.pk), "Clerk") in new_chat
    assert {act for act, _, _ in begun} == {"model"}


def test_a_number_sign_offers_documents_of_ones_other_chats(browser: Client, alice: User) -> None:
    here, elsewhere = document_of(filename="here.txt"), document_of(filename="plan.txt")
    chat = chat_of(alice)
    collection_with(here, owner=alice, conversation=chat)
    collection_with(elsewhere, document_of(filename="failed.txt", status="failed"), owner=alice)

    assert offers(browser, "#", chat=chat) == [("document", str(elsewhere.pk), "plan.txt")]
    assert offers(browser, "#", "nothing", chat) == []


def test_the_chosen_document_is_attached(browser: Client, alice: User) -> None:
    document, chat = document_of(filename="plan.txt"), chat_of(alice)
    collection_with(document, owner=alice)

    begun = browser.post(f"/c/{chat.pk}/attachments", {"document": str(document.pk)}, headers=HTMX)
    new = browser.post("/attachments/", {"document": str(document.pk)}, headers=HTMX)

    assert "plan.txt" in begun.content.decode()
    assert "plan.txt" in new.content.decode()
    assert document.collections.count() == 3
    assert Collection.objects.get(conversation=chat).version == 1


def test_names_are_never_markup(browser: Client, alice: User) -> None:
    collection_with(*(document_of(filename=f"{text[:200]}.txt") for text in PAYLOADS.values()), owner=alice)

    html = browser.get("/composer-menu", {"sign": "#"}).content.decode()

    assert "<script" not in html
    assert "<img" not in html


def test_another_sign_has_no_menu(browser: Client) -> None:
    assert browser.get("/composer-menu?sign=!").status_code == 400
    assert browser.get("/composer-menu").status_code == 400


def test_an_outsider_is_offered_and_attaches_nothing_of_others(
    runtime: Runtime, alice: User, charlie: User, client_of: ClientOf
) -> None:
    document, chat = document_of(filename="secret.txt"), chat_of(alice)
    collection_with(document, owner=alice, conversation=chat)
    chat.flow = Flow.objects.create(name="Hidden", starter_prompts=["Secret"])
    chat.save()

    for outsider in (client_of(charlie), Client()):
        assert offers(outsider, "#") == []
        assert offers(outsider, "/", "secret", chat) == []
        assert outsider.post("/attachments/", {"document": str(document.pk)}).status_code == 404
        mine = outsider.post(f"/c/{chat.pk}/attachments", {"document": str(document.pk)})
        assert mine.status_code == 404
    assert document.collections.count() == 1
