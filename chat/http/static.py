"""Static files by WhiteNoise without a thread: its own middleware pushes each asynchronous request through two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware


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
        """The file as an answer."""
        found = static_file.get_response(request.method, request.META)
        content = found.file.read() if found.file else b""
        return HttpResponse(content, status=int(found.status), headers=dict(found.headers))
