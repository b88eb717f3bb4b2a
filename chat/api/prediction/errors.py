"""Errors as this API tells them."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpResponse

from chat.domain.errors import ChatError, NotFound, RateLimited, Unauthorized


def error_body(error: ChatError, status: int) -> dict[str, Any]:
    """The JSON of an answer that is an error."""
    return {"statusCode": status, "success": False, "message": error_words(error), "stack": {}}


def error_words(error: ChatError) -> str:
    """What went wrong and what to do about it; clients compare the words of the two that have no hint here."""
    if isinstance(error, (NotFound, Unauthorized)):
        return error.message
    return f"{error.message} {error.hint}".strip()


def plain_error(error: ChatError, status: int) -> HttpResponse:
    """The error as text: web widgets show it to people as it is."""
    return HttpResponse(error_words(error), status=status, content_type="text/plain; charset=utf-8")


def too_many(error: RateLimited, limit: int) -> HttpResponse:
    """429 with the headers by which clients know when to come back; `limit` is what the window allows."""
    response = plain_error(error, 429)
    response["Retry-After"] = str(error.retry_after_s)
    response["X-RateLimit-Limit"] = str(limit)
    response["X-RateLimit-Remaining"] = "0"
    response["X-RateLimit-Reset"] = str(int(time.time()) + error.retry_after_s)
    return response
