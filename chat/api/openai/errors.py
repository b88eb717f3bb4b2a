"""Errors as OpenAI tells them, so that its clients raise their own classes."""

from __future__ import annotations

from typing import Any

from chat.domain.errors import ChatError, ContextOverflow, InvalidInput, ModelNotFound, Unauthorized
from chat.http.api import api_status

_TYPES = {403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    ContextOverflow.code: "context_length_exceeded",
    Unauthorized.code: "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
}


def error_body(error: ChatError, status: int, *, prompt_field: str = "messages") -> dict[str, Any]:
    """The JSON of an answer that is an error; `prompt_field` is to blame for a prompt that is too long."""
    kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    described = {
        "message": _message(error),
        "type": kind,
        "param": _param(error, prompt_field),
        "code": _CODES.get(error.code, error.code),
    }
    return {"error": described}


def error_in_stream(error: ChatError) -> dict[str, Any]:
    """The same for a stream that has begun: its status was sent long ago."""
    return error_body(error, api_status(error))


def broken() -> ChatError:
    """What a client is told when the fault is in our own code."""
    return ChatError("Something went wrong inside Parley.", hint="The server's log has the details.")


def _message(error: ChatError) -> str:
    message = "The API key is missing or wrong." if isinstance(error, Unauthorized) else error.message
    return f"{message} {error.hint}".strip()


def _param(error: ChatError, prompt_field: str) -> str | None:
    match error:
        case InvalidInput(field=field) if field:
            return field
        case ModelNotFound():
            return "model"
        case ContextOverflow():
            return prompt_field
    return None
