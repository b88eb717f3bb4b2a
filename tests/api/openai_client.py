"""The real `openai` package on our servers, and what its tests ask."""

from __future__ import annotations

from typing import Any

import httpx
import openai
from django.core.handlers.asgi import ASGIHandler

from tests.api.conftest import ApiServer

HELLO = [{"role": "user", "content": "Hello!"}]
SUM = [{"role": "user", "content": "What is 6 * 7?"}]
# As the server describes its own: the starter model was trained on these words.
_CALCULATOR = {
    "name": "calculator",
    "description": "Work out an arithmetic expression. Operators + - * / // % ** and brackets; functions sqrt, abs, "
    "round, min, max.",
    "parameters": {
        "type": "object",
        "properties": {"expression": {"type": "string"}},
        "required": ["expression"],
    },
}
CALCULATOR: Any = {"type": "function", "function": _CALCULATOR}
FLAT_CALCULATOR: Any = {"type": "function", **_CALCULATOR}
PERSON_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "mood": {"enum": ["glad", "sad"]},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
    },
    "required": ["name", "mood", "age"],
    "additionalProperties": False,
}


def sync_client(server: ApiServer, key: str | None = None) -> openai.OpenAI:
    """As a program has it: only the base URL and the key are ours."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key or server.key, max_retries=0, timeout=120)


def async_client(server: ApiServer) -> openai.AsyncOpenAI:
    """The same, asynchronous."""
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0, timeout=120)


def client_in_process(key: str) -> openai.AsyncOpenAI:
    """On the views of this process: for settings and rows that a test makes itself."""
    transport = httpx.ASGITransport(ASGIHandler())
    return openai.AsyncOpenAI(
        base_url="http://localhost/v1",
        api_key=key,
        max_retries=0,
        http_client=httpx.AsyncClient(transport=transport, timeout=120),
    )


def streamed(client: openai.OpenAI, **fields: Any) -> list[Any]:
    """All chunks of a chat completion."""
    return list(client.chat.completions.create(model="starter", stream=True, **fields))


def text_of(chunks: list[Any], index: int = 0) -> str:
    """The words of one choice."""
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)
