"""The door of every flow's endpoints: which flow, from which web page, by whom."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from chat.api.prediction.body import asks_for_stream
from chat.api.prediction.errors import error_body, plain_error, too_many
from chat.domain.errors import ChatError, NotFound, RateLimited, Unauthorized
from chat.http.api import View, api_view, error_response
from chat.http.auth import Caller, caller_for, require_key
from chat.http.origins import add_cors, is_allowed, not_allowed, preflight
from chat.http.rate_limits import check_flow_rate
from chat.models import Flow, Right

Check = Callable[[HttpRequest, Flow], None]


def flow_view(*methods: str) -> Callable[[View], View]:
    """Makes `view(request, flow, ...)` an endpoint of the flow in the path.

    Unknown flows are 404, pages of origins that the flow does not name 403; OPTIONS and CORS headers are taken care of,
    and 429 is told as text.
    """
    return _flow_view(methods, check=lambda _request, _flow: None)


def counted_flow_view(*methods: str) -> Callable[[View], View]:
    """The same for an endpoint that the flow's own rate limit is about."""
    return _flow_view(methods, check=check_flow_rate)


def _flow_view(methods: tuple[str, ...], check: Check) -> Callable[[View], View]:

    def decorate(view: View) -> View:
        @api_view(*methods, "OPTIONS", error_body=error_body)
        @wraps(view)
        async def guarded(request: HttpRequest, flow_id: str, **rest: Any) -> HttpResponseBase:
            flow = await sync_to_async(flow_of)(flow_id)
            origin = request.headers.get("Origin", "")
            if not is_allowed(flow, origin):
                return _refused(request)
            if request.method == "OPTIONS":
                response: HttpResponseBase = preflight(request, flow, methods)
            elif limited := _too_many(check, request, flow):
                response = limited
            else:
                response = await _answer(view, request, flow, rest)
            add_cors(response, flow, origin)
            return response

        return guarded

    return decorate


def flow_of(flow_id: str) -> Flow:
    """Touches the database. Raises: NotFound, also for an id that is no UUID."""
    try:
        found = Flow.objects.filter(pk=uuid.UUID(flow_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound(f"Chatflow {flow_id[:100]} not found in the database!")
    return found


def reader(request: HttpRequest, flow: Flow, chat_id: str) -> Caller:
    """Who may read and delete stored chats: by a key with that right, or the guest of the chat where the flow is open.

    Touches the database. Raises: Unauthorized, NotAllowed, RateLimited.
    """
    if "Authorization" in request.headers or flow.requires_key:
        return require_key(request, Right.HISTORY, flow)
    if not chat_id:
        raise Unauthorized("Unauthorized")
    return caller_for(request, flow, chat_id)


def _too_many(check: Check, request: HttpRequest, flow: Flow) -> HttpResponseBase | None:
    """The answer to an address that has asked too often."""
    try:
        check(request, flow)
    except RateLimited as exc:
        return too_many(exc, flow.rate_limit_requests or 0)
    return None


async def _answer(view: View, request: HttpRequest, flow: Flow, rest: dict[str, Any]) -> HttpResponseBase:
    try:
        return await view(request, flow, **rest)
    except RateLimited as exc:
        return too_many(exc, settings.PARLEY_API_REQUESTS_PER_MINUTE)
    except ChatError as exc:
        return error_response(exc, error_body)


def _refused(request: HttpRequest) -> HttpResponseBase:
    error = not_allowed()
    if asks_for_stream(request):
        return plain_error(error, HTTPStatus.FORBIDDEN)
    return error_response(error, error_body)
