"""Static files by WhiteNoise without a thread: its own middleware pushes each asynchronous request through two."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

MIN_PACKED_BYTES = 400


class StaticMiddleware(WhiteNoiseMiddleware):
    """Finds a file by a look into a dict, and sends it whole: the largest has some ten kilobytes."""

    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request in the way that the chain is run."""
        if self._is_async:
            return self._answer_async(request)
        response: HttpResponseBase = super().__call__(request)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | Awaitable[HttpResponseBase] = super().__call__(request)
        return response if isinstance(response, HttpResponseBase) else await response

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """The file as an answer, packed where the browser can unpack it: the page's own assets hold no secrets."""
        found = static_file.get_response(request.method, request.META)
        content = found.file.read() if found.file else b""
        response = HttpResponse(content, status=int(found.status), headers=dict(found.headers))
        patch_vary_headers(response, ["Accept-Encoding"])
        is_whole = response.status_code == HTTPStatus.OK
        if (
            is_whole
            and len(content) > MIN_PACKED_BYTES
            and "gzip" in request.headers.get("Accept-Encoding", "")
        ):
            response.content = packed(content)
            response["Content-Encoding"] = "gzip"
            response["Content-Length"] = str(len(response.content))
        return response


@lru_cache(maxsize=256)
def packed(content: bytes) -> bytes:
    """By gzip; each file once in the life of the server."""
    return gzip.compress(content, mtime=0)
