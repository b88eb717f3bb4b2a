"""The document for programs and the page for people."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from chat.api.docs.document import openapi_document
from chat.api.docs.page import groups
from chat.domain.errors import ChatError
from chat.http.api import api_view, json_response
from chat.http.openapi import Operation, documented

TAG = "Documentation"
_DOCUMENT = Operation(
    method="get",
    summary="This document",
    tag=TAG,
    responses={200: {"type": "object", "required": ["openapi", "info", "paths"]}},
    needs_key=False,
)
_PAGE = Operation(
    method="get", summary="The same for people, as a page", tag=TAG, responses={200: None}, needs_key=False
)


def error_body(error: ChatError, _status: int) -> dict[str, Any]:
    """The plainest shape."""
    return {"error": error.message}


@documented(_DOCUMENT)
@api_view("GET", "HEAD", error_body=error_body)
async def openapi(_request: HttpRequest) -> HttpResponseBase:
    """The OpenAPI document."""
    return json_response(openapi_document())


@documented(_PAGE)
@csrf_exempt  # so that other methods are told 405, not 403
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The page."""
    base_url = request.build_absolute_uri("/").rstrip("/")
    return render(request, "api/docs.html", {"here": "api", "groups": groups(base_url), "base_url": base_url})
