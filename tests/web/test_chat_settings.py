"""The settings of one chat: they count for its next answer, and nobody else can see or change them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.test import Client

from chat.models import Conversation, Flow, User
from chat.runtime import Runtime
from tests.conftest import conversation_of, wait_for_end
from tests.web.chatting import finished_chat

ClientOf = Callable[[User], Client]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser(runtime: Runtime, alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


@pytest.fixture
def chat(browser: Client) -> Conversation:
    return conversation_of(finished_chat(browser))


def test_they_count_from_the_next_answer_on(runtime: Runtime, browser: Client, chat: Conversation) -> None:
    flow = Flow.objects.create(name="Pirate", system_prompt="Arr.", params={"top_k": 3})
    fields = {"flow": str(flow.pk), "system_prompt": "Answer in rhymes.", "temperature": "0.2", "seed": "7"}

    response = browser.post(f"/c/{chat.pk}/settings", fields)
    browser.post(f"/c/{chat.pk}/messages", {"text": "And now?", "key": uuid.uuid4()})
    run = wait_for_end(chat.runs.order_by("-pk")[0])

    assert response.status_code == 303
    assert run.recipe["system_prompt"] == "Answer in rhymes."
    made_with = run.recipe["params"]
    assert (made_with["temperature"], made_with["seed"], made_with["top_k"]) == (0.2, 7, 3)
    page = browser.get(f"/c/{chat.pk}/settings").content.decode()
    assert "Answer in rhymes." in page
    assert 'value="0.2"' in page


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"temperature": "9"}, "temperature"),
        ({"top_p": "nan"}, "number"),
        ({"flow": str(uuid.UUID(int=1))}, "no such assistant"),
        ({"system_prompt": "x" * 20_001}, "20000"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_kept(
    browser: Client, chat: Conversation, fields: dict[str, str], complaint: str
) -> None:
    response = browser.post(f"/c/{chat.pk}/settings", {"system_prompt": "New", **fields})

    assert response.status_code == 200
    assert complaint in " ".join(str(response.context["form"].errors).split())
    chat.refresh_from_db()
    assert (chat.system_prompt, chat.params) == ("", {})


def test_for_an_outsider_they_do_not_exist(chat: Conversation, charlie: User, client_of: ClientOf) -> None:
    for stranger in (client_of(charlie), Client()):
        assert stranger.get(f"/c/{chat.pk}/settings").status_code == 404
        assert stranger.post(f"/c/{chat.pk}/settings", {"system_prompt": "Mine"}).status_code == 404
    chat.refresh_from_db()
    assert chat.system_prompt == ""


def test_a_meter_shows_how_full_the_context_is(browser: Client, chat: Conversation) -> None:
    usage = chat.runs.get().usage_report

    page = browser.get(f"/c/{chat.pk}").content.decode()

    assert usage is not None
    assert usage.context_tokens == 2048
    assert 0 < usage.context_used == usage.prompt_tokens + usage.completion_tokens
    assert f"{usage.context_used:,} of 2,048 tokens" in page
