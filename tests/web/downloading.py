"""Reading answers that are made while they are sent."""

from __future__ import annotations

import asyncio
from typing import Any

from django.test import AsyncClient, Client


def downloaded(client: Client, path: str, form: dict[str, Any] | None = None) -> tuple[Any, bytes]:
    """The answer to GET, or to POST of a form, and the whole of its body."""

    async def read() -> tuple[Any, bytes]:
        reader = AsyncClient()
        reader.cookies = client.cookies
        response = await (reader.get(path) if form is None else reader.post(path, form))
        if not response.streaming:
            return response, response.content
        return response, b"".join([part async for part in response.streaming_content])

    return asyncio.run(read())
