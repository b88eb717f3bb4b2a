"""What programs may know of flows: whether they stream, how a chat window for them looks, and the list of them."""

from __future__ import annotations

import json
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from chat.api.prediction import operations
from chat.api.prediction.access import flow_view
from chat.api.prediction.errors import error_body, too_many
from chat.api.prediction.stored import moment_text, number_in
from chat.domain.errors import RateLimited
from chat.http.api import api_view, json_response
from chat.http.auth import key_with, require_key
from chat.http.openapi import documented
from chat.models import Flow, Right

KIND = "CHATFLOW"
# Files are read as text before the question; images and sound are refused.
UPLOADS = {
    "isSpeechToTextEnabled": False,
    "isImageUploadAllowed": False,
    "isRAGFileUploadAllowed": False,
    "imgUploadSizeAndTypes": [],
    "fileUploadSizeAndTypes": [],
}
_TEXT_TYPES = "text/*,application/json,application/xml"
# Flows elsewhere are graphs; windows look into them for a form to fill in.
_EMPTY_GRAPH = json.dumps({"nodes": [], "edges": []})


@documented(operations.STREAMING)
@flow_view("GET")
async def is_streaming(_request: HttpRequest, _flow: Flow) -> HttpResponseBase:
    """Clients ask this before each prediction, without a key."""
    return json_response({"isStreaming": True})


@documented(operations.CHATBOT_CONFIG)
@flow_view("GET")
async def chatbot_config(_request: HttpRequest, flow: Flow) -> HttpResponseBase:
    """What a chat window needs to know of the flow."""
    config = _config(flow) | {"uploads": UPLOADS, "flowData": _EMPTY_GRAPH, "isTTSEnabled": False}
    return json_response(config)


@documented(operations.UPLOADS)
@flow_view("GET")
async def uploads(_request: HttpRequest, _flow: Flow) -> HttpResponseBase:
    """Which files a chat window may offer to send."""
    return json_response(UPLOADS)


@documented(operations.FLOW)
@flow_view("GET")
async def one(request: HttpRequest, flow: Flow) -> HttpResponseBase:
    """A flow by its id."""
    await sync_to_async(require_key)(request, Right.FLOWS, flow)
    return json_response(_row(flow))


@documented(operations.FLOWS)
@api_view("GET", error_body=error_body)
async def listed(request: HttpRequest) -> HttpResponseBase:
    """The flows that the key covers."""
    try:
        return json_response(await sync_to_async(_list)(request))
    except RateLimited as exc:
        return too_many(exc, settings.PARLEY_API_REQUESTS_PER_MINUTE)


def _list(request: HttpRequest) -> list[dict[str, Any]] | dict[str, Any]:
    key = key_with(request, Right.FLOWS)
    covered = {flow.pk for flow in key.flows.all()}
    flows = [flow for flow in Flow.objects.all() if not covered or flow.pk in covered]
    if request.GET.get("type", KIND) != KIND:
        flows = []
    page, limit = number_in(request.GET, "page"), number_in(request.GET, "limit")
    if page is None and limit is None:
        return [_row(flow) for flow in flows]
    page, limit = page or 1, limit or 10
    return {"data": [_row(flow) for flow in flows[(page - 1) * limit : page * limit]], "total": len(flows)}


def _row(flow: Flow) -> dict[str, Any]:
    """Without the system prompt: that is the admin's."""
    limit = flow.rate_limit_requests
    api_config: dict[str, dict[str, Any]] = {"rateLimit": {"status": limit is not None}}
    if limit is not None:
        api_config["rateLimit"] |= {"limitMax": limit, "limitDuration": flow.rate_limit_window_s}
    return {
        "id": str(flow.pk),
        "name": flow.name,
        "flowData": _EMPTY_GRAPH,
        "type": KIND,
        "deployed": True,
        "isPublic": not flow.requires_key,
        "apikeyid": None,
        "chatbotConfig": json.dumps(_config(flow) | {"allowedOrigins": flow.allowed_origins}),
        "apiConfig": json.dumps(api_config),
        "analytic": None,
        "speechToText": None,
        "category": None,
        "createdDate": moment_text(flow.created_at),
        "updatedDate": moment_text(flow.updated_at),
    }


def _config(flow: Flow) -> dict[str, Any]:
    prompts = {str(number): {"prompt": prompt} for number, prompt in enumerate(flow.starter_prompts or [])}
    return {
        "title": flow.name,
        "starterPrompts": prompts,
        "fullFileUpload": {"status": True, "allowedUploadFileTypes": _TEXT_TYPES},
    }
