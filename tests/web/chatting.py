"""Chatting by HTTP in tests: posting, reading streams, and who is who."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from django.http import HttpResponse
from django.test import AsyncClient, Client

from chat.models import Run
from tests.conftest import wait_for_end

HTMX = {"HX-Request": "true"}


def start_chat(client: Client, text: str = "Hello", **headers: str) -> Run:
    """Post the first message and return its run."""
    response = client.post("/", {"text": text, "key": str(uuid.uuid4())}, headers=headers)
    assert response.status_code in (200, 303), response.content
    return Run.objects.order_by("-pk").first()


def finished_chat(client: Client, text: str = "Hello") -> Run:
    """A conversation with one question and one answer."""
    return wait_for_end(start_chat(client, text))


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
