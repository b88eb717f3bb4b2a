"""Chatting by HTTP in tests: posting, reading streams, and who is who."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.test import AsyncClient, Client

from chat.domain.events import Event, event_to_dict, is_terminal, kind_of
from chat.domain.reply import ReplyBuilder
from chat.models import Conversation, LoggedEvent, Message, Run
from chat.runs.stored import save_end
from chat.web.reply_view import ReplyView
from tests.conftest import wait_for_end
from tests.web.run_events import numbered

HTMX = {"HX-Request": "true"}


def start_chat(client: Client, text: str = "Hello", **headers: str) -> Run:
    """Post the first message and return its run."""
    response = client.post("/", {"text": text, "key": str(uuid.uuid4())}, headers=headers)
    assert response.status_code in (200, 303), response.content
    return Run.objects.order_by("-pk").first()


def finished_chat(client: Client, text: str = "Hello") -> Run:
    """A conversation with one question and one answer."""
    return wait_for_end(start_chat(client, text))


def store_turn(conversation: Conversation, question: str, events: Sequence[Event]) -> Run:
    """A question and the answer that these events tell, logged and saved as the server does; live without an end."""
    asked = Message.objects.create(
        conversation=conversation,
        parent=conversation.leaf,
        role=Message.Role.USER,
        parts=[{"kind": "text", "text": question}],
    )
    reply = Message.objects.create(conversation=conversation, parent=asked, role=Message.Role.ASSISTANT)
    run = Run.objects.create(conversation=conversation, reply=reply, model="starter", status="running")
    conversation.leaf = reply
    conversation.save()
    for each in numbered(*events):
        data = event_to_dict(each.event)
        LoggedEvent.objects.create(
            run=run, seq=each.seq, kind=kind_of(each.event), data=data, at_ms=each.at_ms
        )
        if is_terminal(each.event):
            save_end(run.pk, ReplyBuilder.of(numbered(*events)), each.event)
    run.refresh_from_db()
    return run


def reply_html(*events: Event) -> str:
    """Message 7 of run 3, as the page shows it after these events."""
    view = ReplyView.of_events(7, (), numbered(*events))
    return render_to_string("chat/_reply.html", {"view": view, "run_id": 3})


def url_of(run: Run) -> str:
    return f"/c/{run.conversation_id}"


def read_stream(client: Client, url: str, headers: dict[str, str] | None = None) -> tuple[HttpResponse, str]:
    """The whole of an event stream, up to its end."""

    async def read() -> tuple[Any, str]:
        reader = AsyncClient()
        reader.cookies = client.cookies
        response = await reader.get(url, headers=headers)
        if not response.streaming:
            return response, response.content.decode()
        chunks = [chunk async for chunk in response.streaming_content]
        return response, b"".join(chunks).decode()

    return asyncio.run(read())
