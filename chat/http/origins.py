"""Which web pages may call a flow from a browser, and the CORS headers that tell the browser so."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers

from chat.domain.errors import NotAllowed
from chat.http.api import View
from chat.models import Flow

EVERYBODY = "*"
PREFLIGHT_AGE_S = 600
_REQUEST_HEADERS = (
    "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-From, X-Stream-Format"
)
_SHOWN_HEADERS = ", ".join(
    (
        "Retry-After",
        "X-Chat-Id",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "X-Run-Id",
        "X-Stream-Format",
    )
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def for_pages_of_flows(view: View) -> View:
    """Lets web pages call an endpoint that is told in the body which flow to ask: `check_origin` finds out.

    What the browser asks beforehand has no body: it is told yes where some flow names the page's origin.
    """

    @wraps(view)
    async def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        origin = request.headers.get("Origin", "")
        is_preflight = request.method == "OPTIONS" and origin
        if is_preflight and (flow := await sync_to_async(_flow_that_allows)(origin)):
            answer = preflight(request, flow, ("GET", "POST"))
            add_cors(answer, flow, origin)
            return answer
        response = await view(request, *args, **kwargs)
        if flow := getattr(request, "asked_flow", None):
            add_cors(response, flow, origin)
        return response

    return guarded


def check_origin(request: HttpRequest, flow: Flow) -> None:
    """Raises: NotAllowed for a page that may not ask this flow. Notes the flow for `for_pages_of_flows`."""
    if not is_allowed(flow, request.headers.get("Origin", "")):
        raise not_allowed()
    request.asked_flow = flow  # type: ignore[attr-defined]


def not_allowed() -> NotAllowed:
    """For a page of an origin that the flow does not name."""
    return NotAllowed(
        "This page may not use this chat.", hint="Its address is not among the allowed origins."
    )


def is_allowed(flow: Flow, origin: str) -> bool:
    """Whether a page of this origin may call the flow; programs send no origin, and an empty list keeps nobody out."""
    allowed = _entries(flow)
    return not origin or not allowed or EVERYBODY in allowed or any(_is_same(e, origin) for e in allowed)


def add_cors(response: HttpResponseBase, flow: Flow, origin: str) -> None:
    """Let the page read the answer, where the flow names its origin; with an empty list nothing is added."""
    if not _entries(flow):
        return
    patch_vary_headers(response, ["Origin"])
    if origin and is_allowed(flow, origin):
        for name, value in _headers(flow, origin).items():
            response[name] = value


def preflight(request: HttpRequest, flow: Flow, methods: tuple[str, ...]) -> HttpResponse:
    """The answer to OPTIONS, without what `add_cors` adds."""
    response = HttpResponse(status=204)
    response["Allow"] = ", ".join((*methods, "OPTIONS"))
    if _entries(flow) and request.headers.get("Origin"):
        response["Access-Control-Allow-Methods"] = ", ".join(methods)
        response["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
        response["Access-Control-Max-Age"] = str(PREFLIGHT_AGE_S)
    return response


def _flow_that_allows(origin: str) -> Flow | None:
    named = Flow.objects.exclude(allowed_origins=[])
    return next((flow for flow in named if _entries(flow) and is_allowed(flow, origin)), None)


def _headers(flow: Flow, origin: str) -> Mapping[str, str]:
    everybody = EVERYBODY in _entries(flow)
    return {
        "Access-Control-Allow-Origin": EVERYBODY if everybody else origin,
        "Access-Control-Expose-Headers": _SHOWN_HEADERS,
    }


def _entries(flow: Flow) -> list[str]:
    return [entry.strip() for entry in flow.allowed_origins or [] if isinstance(entry, str) and entry.strip()]


def _is_same(entry: str, origin: str) -> bool:
    """An entry without a scheme stands for the host under any."""
    if "://" not in entry:
        entry = f"{origin.partition('://')[0]}://{entry}"
    wanted = _parts(entry)
    return wanted is not None and wanted == _parts(origin)


def _parts(origin: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(origin.strip())
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)
