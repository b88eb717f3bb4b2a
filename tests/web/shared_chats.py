"""A conversation to share, and what to do with its links in tests."""

from __future__ import annotations

import re
import uuid

from django.test import Client
from django.utils import timezone

from chat.domain.events import (
    ReasoningDelta,
    RunFinished,
    Source,
    SourcesFound,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from chat.models import Conversation, Message, Run, ShareLink, User
from tests.web.chatting import store_turn

DOCUMENT = uuid.UUID(int=0xD0C)
ANSWER = [
    ReasoningDelta("A secret thought."),
    SourcesFound((Source(1, "Handbook.pdf", "Passage about tea", str(DOCUMENT), page=3),)),
    ToolStarted("call-77", "calculator", {"expression": "6*7"}),
    ToolFinished("call-77", "calculator", "tool says 42", is_error=False, duration_ms=3),
    TextDelta("Tea is **good**[1]."),
    RunFinished("stop"),
]


def chat_of(owner: User) -> Conversation:
    """One question, and one answer that used everything. Rows have numbers that stand out: see `TELLS_OF_ROWS`."""
    conversation = Conversation.objects.create(owner=owner, title="About tea", updated_at=timezone.now())
    stand_out(owner)
    store_turn(conversation, "Is tea <b>good</b>?", ANSWER)
    return conversation


def stand_out(owner: User) -> None:
    """From now on messages are numbered from 70,001 and runs from 80,001."""
    elsewhere = Conversation.objects.create(owner=owner, updated_at=timezone.now(), deleted_at=timezone.now())
    reply = Message.objects.create(pk=70_000, conversation=elsewhere, role=Message.Role.ASSISTANT)
    Run.objects.create(pk=80_000, conversation=elsewhere, reply=reply, status="done")


# The number of a message or run, or a UUID.
TELLS_OF_ROWS = re.compile(r"[78]000\d|[0-9a-f]{8}-[0-9a-f]{4}-")


def shared(browser: Client, chat: Conversation, **fields: str) -> ShareLink:
    """Create a link by the form."""
    response = browser.post(f"/c/{chat.pk}/share", {"kind": "frozen", **fields})
    assert response.status_code == 303, response.content
    return ShareLink.objects.latest("pk")


def address_of(link: ShareLink) -> str:
    return f"/s/{link.token}"


def html_of(viewer: Client, link: ShareLink) -> str:
    response = viewer.get(address_of(link))
    assert response.status_code == 200
    return response.content.decode()


def proof_in(html: str) -> str:
    """What the form of "Continue this chat" carries."""
    found = re.search(r'name="proof" value="(\w+)"', html)
    assert found is not None
    return found[1]
