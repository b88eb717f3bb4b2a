"""The rest of `/api/v1/`: signs of life, and clear words where there is nothing."""

from __future__ import annotations

import tomllib
from functools import cache

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from chat.api.prediction import operations
from chat.api.prediction.errors import error_body
from chat.domain.errors import InvalidInput, NotFound
from chat.http.api import api_view, error_response, json_response
from chat.http.openapi import documented

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@documented(operations.PING)
@api_view("GET", error_body=error_body)
async def ping(_request: HttpRequest) -> HttpResponseBase:
    """Whether the server is there."""
    return HttpResponse("pong", content_type="text/plain; charset=utf-8")


@documented(operations.VERSION)
@api_view("GET", error_body=error_body)
async def version(_request: HttpRequest) -> HttpResponseBase:
    """Parley's version."""
    return json_response({"version": await sync_to_async(_version)()})


@documented()  # nothing to tell: there is nothing here
@documented()
@api_view(*_METHODS, error_body=error_body)
async def no_flow_named(_request: HttpRequest) -> HttpResponseBase:
    """A prediction without an id in its path."""
    error = InvalidInput("Error: predictionsController.createPrediction - id not provided!")
    response = error_response(error, lambda exc, _status: error_body(exc, 412))
    response.status_code = 412
    return response


@documented()  # nothing to tell: there is nothing here
@documented()
@api_view(*_METHODS, error_body=error_body)
async def nothing_here(request: HttpRequest, rest: str) -> HttpResponseBase:
    """Programs get JSON, not a page."""
    raise NotFound(f"Cannot {request.method} /api/v1/{rest[:200]}")


@cache
def _version() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
