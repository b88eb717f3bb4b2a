"""What our middlewares share: one class for synchronous and asynchronous requests, without a thread hop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase


class Middleware:
    """Passes requests on. Unlike Django's `MiddlewareMixin` it sends no asynchronous request through a thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request in the way that the chain is run."""
        return self.answer_async(request) if self._is_async else self.answer(request)

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request on a thread."""
        response: HttpResponseBase = self.get_response(request)
        return response

    async def answer_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request on the event loop."""
        response: HttpResponseBase = await self.get_response(request)
        return response
