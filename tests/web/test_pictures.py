"""Pictures on the page: attached, sent with a question, shown in it, and nobody else's."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from chat.models import Conversation, Picture, Run, User
from chat.runs.shared_chat import Extras
from chat.runs.shares import LinkTerms, create_link
from chat.runtime import Runtime
from tests.conftest import wait_for_end
from tests.engine.tiny_projector import png
from tests.web.chatting import HTMX, url_of

ClientOf = Callable[[User], Client]
pytestmark = pytest.mark.parametrize("max_tokens", [8])


@pytest.fixture
def browser(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def attach(
    browser: Client, address: str = "/attachments/", color: str = "red", name: str = "cat.png", **fields: str
) -> HttpResponse:
    file = SimpleUploadedFile(name, png(color), "image/png")
    return browser.post(address, {"files": file, **fields}, headers=HTMX)


def draft_of(response: HttpResponse) -> str:
    """The id of the collection that goes along with the first message."""
    found = re.search(r'name="documents" value="([0-9a-f-]{36})"', response.content.decode())
    assert found, response.content
    return found[1]


def ask(browser: Client, address: str, text: str = "What is it?", **fields: str) -> Run:
    response = browser.post(address, {"text": text, "key": str(uuid.uuid4()), **fields}, headers=HTMX)
    assert response.status_code == 200, response.content
    return wait_for_end(Run.objects.order_by("-pk").first())


def chat_with_picture(browser: Client, color: str = "red") -> Run:
    return ask(browser, "/", documents=draft_of(attach(browser, color=color)))


def images_in(html: str) -> list[tuple[str, str]]:
    """Address and alternative text of each picture of a question."""
    return re.findall(r'<img src="(/pictures/[^"]+)" alt="([^"]*)"', html)


def test_a_picture_goes_along_with_the_first_message(seeing_runtime: Runtime, browser: Client) -> None:
    run = chat_with_picture(browser)

    page = browser.get(url_of(run)).content.decode()

    ((address, alt),) = images_in(page)
    assert alt == "cat.png"
    assert "chip-remove" not in page.split('id="attachments"')[1].split("</form>")[0].split("<template")[0]
    response = browser.get(address)
    assert response.status_code == 200
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response.content.startswith(b"\x89PNG")


def test_the_model_sees_it(seeing_runtime: Runtime, browser: Client) -> None:
    answers = [chat_with_picture(browser, color).reply.text for color in ("red", "red", "blue")]

    assert answers[0] == answers[1] != answers[2]


def test_a_later_question_has_pictures_of_its_own(seeing_runtime: Runtime, browser: Client) -> None:
    run = ask(browser, "/", text="Hello")
    conversation = run.conversation

    chips = attach(browser, f"/c/{conversation.pk}/attachments")
    asked = ask(browser, f"/c/{conversation.pk}/messages")
    afterwards = ask(browser, f"/c/{conversation.pk}/messages", text="And now?")

    assert "cat.png" in chips.content.decode()
    assert [image.name for image in asked.reply.parent.images] == ["cat.png"]
    assert afterwards.reply.parent.images == ()


def test_an_edited_question_keeps_its_picture(seeing_runtime: Runtime, browser: Client) -> None:
    run = chat_with_picture(browser)

    edited = ask(browser, f"/messages/{run.reply.parent_id}/edit", text="What color is it?")

    assert edited.reply.parent.images == run.reply.parent.images


def test_a_picture_that_waits_can_be_taken_back(seeing_runtime: Runtime, browser: Client) -> None:
    draft = draft_of(attach(browser))
    picture = Picture.objects.get()

    response = browser.post(f"/attachments/{draft}/pictures/{picture.pk}/remove", headers=HTMX)

    assert response.status_code == 200
    assert "cat.png" not in response.content.decode()
    assert not Picture.objects.exists()


def test_a_model_that_does_not_see_names_one_that_does(seeing_runtime: Runtime, browser: Client) -> None:
    refused = attach(browser, model="blind")
    draft = draft_of(attach(browser, model="tiny"))
    post = {"text": "What?", "key": str(uuid.uuid4()), "documents": draft, "model": "blind"}
    also_refused = browser.post("/", post, headers=HTMX)

    for response in (refused, also_refused):
        assert response.status_code == 400
        assert "blind cannot see pictures. Models here that can: tiny." in " ".join(
            re.sub(r"<[^>]+>", " ", response.content.decode()).split()
        )
    assert not Conversation.objects.exists()


def test_another_model_later_is_told_of_it_in_words(seeing_runtime: Runtime, browser: Client) -> None:
    run = chat_with_picture(browser)

    again = ask(browser, f"/messages/{run.reply_id}/regenerate", model="blind")

    assert again.model == "blind"
    assert again.status == "done"


def test_outsiders_get_nothing(
    seeing_runtime: Runtime, browser: Client, charlie: User, client_of: ClientOf
) -> None:
    run = chat_with_picture(browser)
    waiting = draft_of(attach(browser, name="dog.png"))
    sent, other = Picture.objects.order_by("created_at")

    for outsider in (client_of(charlie), Client()):
        for picture in (sent, other):
            assert outsider.get(f"/pictures/{picture.pk}").status_code == 404
        assert outsider.post(f"/attachments/{waiting}/pictures/{other.pk}/remove").status_code == 404
        assert attach(outsider, f"/c/{run.conversation_id}/attachments").status_code == 404
    assert Picture.objects.count() == 2


def test_what_is_no_picture_is_refused_and_leaves_nothing(seeing_runtime: Runtime, browser: Client) -> None:
    file = SimpleUploadedFile("cat.png", b"<svg onload=alert(1)>", "image/png")

    response = browser.post("/attachments/", {"files": file}, headers=HTMX)

    assert response.status_code == 400
    assert "cat.png is no picture" in response.content.decode()
    assert not Picture.objects.exists()


def test_a_fork_has_pictures_of_its_own(seeing_runtime: Runtime, browser: Client) -> None:
    run = chat_with_picture(browser)
    browser.post(f"/messages/{run.reply_id}/fork")
    fork = Conversation.objects.exclude(pk=run.conversation_id).get()
    run.conversation.delete()

    ((address, _),) = images_in(browser.get(f"/c/{fork.pk}").content.decode())

    assert browser.get(address).status_code == 200


def test_a_shared_chat_shows_no_picture(seeing_runtime: Runtime, browser: Client) -> None:
    conversation = chat_with_picture(browser).conversation
    terms = LinkTerms(is_live=True, extras=Extras(tools=True, sources=True))

    page = Client().get(f"/s/{create_link(conversation, terms).token}")

    assert "What is it?" in page.content.decode()
    assert "pictures/" not in page.content.decode()
