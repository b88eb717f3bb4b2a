"""Paths under /v1/ that there are not: said in JSON, for a client that reads nothing else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from chat.api.openai.errors import error_body
from chat.domain.errors import NotFound
from chat.http.api import json_response
from chat.http.openapi import documented


@documented()  # nothing to tell: there is nothing here
@csrf_exempt
async def unknown_path(request: HttpRequest, path: str) -> HttpResponse:
    """404, whatever the method."""
    shown = f"/v1/{path}"[:200]
    return json_response(
        error_body(NotFound(f"Unknown request URL: {request.method} {shown}."), 404), status=404
    )
