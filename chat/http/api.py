"""What every API view shares: methods, JSON errors in its own shape, and following a run to its end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from chat.domain.errors import ChatError, NotFound, Overloaded
from chat.domain.reply import ReplyBuilder
from chat.http.body import TooLarge
from chat.http.errors import error_status
from chat.runs.log import EventLog

logger = logging.getLogger(__name__)

ErrorBody = Callable[[ChatError, int], Any]
StatusOf = Callable[[ChatError], int]
View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


def api_status(error: ChatError) -> int:
    """As for pages, but a full queue is 429 and an unknown model 404: what clients of APIs know."""
    if isinstance(error, Overloaded):
        return HTTPStatus.TOO_MANY_REQUESTS
    if isinstance(error, TooLarge):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if error.code == "model_not_found":
        return HTTPStatus.NOT_FOUND
    return error_status(error)


def api_view(
    *methods: str, error_body: ErrorBody, status_of: StatusOf = api_status
) -> Callable[[View], View]:
    """Makes an async view one of an API: other methods are 405, and every error is JSON of the API's shape."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        async def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in methods:
                error = ChatError(f"Use {' or '.join(methods)} here, not {request.method}.")
                response = json_response(error_body(error, 405), status=405)
                response["Allow"] = ", ".join(methods)
                return response
            try:
                return await view(request, *args, **kwargs)
            except ChatError as exc:
                return error_response(exc, error_body, status_of)
            except Http404:
                return error_response(NotFound("Not found."), error_body)
            except Exception:  # the border of the API: the client is told, the log has the details
                logger.exception("an API request failed")
                return error_response(ChatError("Something went wrong inside Parley."), error_body)

        return guarded

    return decorate


def error_response(error: ChatError, error_body: ErrorBody, status_of: StatusOf = api_status) -> HttpResponse:
    """The error in the API's shape; who asked too often is told when to come back."""
    status = status_of(error)
    response = json_response(error_body(error, status), status=status)
    if isinstance(error, Overloaded):
        response["Retry-After"] = str(error.retry_after_s)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def json_response(value: Any, status: int = 200) -> HttpResponse:
    """Compact ASCII JSON: no character of it means anything to a proxy or a line-splitting client."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return HttpResponse(text, content_type="application/json", status=status)


async def followed(log: EventLog, run_id: int) -> ReplyBuilder:
    """The whole reply of a run, once it has ended."""
    reply = ReplyBuilder()
    async for batch in log.follow(run_id):
        for numbered in batch:
            reply.apply(numbered)
    return reply
