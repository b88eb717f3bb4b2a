"""Reading the body of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest

from chat.domain.messages import ChatMessage, Role
from chat.http.body import Fields, json_object

ROLES: tuple[Role, ...] = ("system", "user", "assistant")
MAX_MESSAGES = 10_000
MAX_NAME_CHARS = 300
MAX_TOKENS = 10_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asks for; `changes` are sampling parameters by name."""

    model: str
    messages: tuple[ChatMessage, ...]
    is_stream: bool
    changes: dict[str, Any]


def asked_by(request: HttpRequest) -> Asked:
    """Raises: InvalidInput, with `field` set for a wrong field and without it for a body that is no JSON object."""
    fields = Fields(json_object(request))
    changes = {
        "temperature": fields.number("temperature", 0, 2),
        "top_p": fields.number("top_p", 0, 1),
        "max_tokens": fields.integer("max_tokens", 1, MAX_TOKENS),
    }
    return Asked(
        model=fields.text("model", min_chars=1, max_chars=MAX_NAME_CHARS),
        messages=tuple(map(_message, fields.objects("messages", min_items=1, max_items=MAX_MESSAGES))),
        is_stream=fields.boolean("stream"),
        changes={name: value for name, value in changes.items() if value is not None},
    )


def _message(fields: Fields) -> ChatMessage:
    role = cast(Role, fields.choice("role", ROLES))
    return ChatMessage.of(role, fields.text("content"))
