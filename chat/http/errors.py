"""From a ChatError to what the client gets: a status, and a page or fragment with the words for the user."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from chat.domain import errors
from chat.http.middleware import Middleware

_STATUS: dict[type[errors.ChatError], int] = {
    errors.ChatError: 500,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.Unauthorized: 401,
    errors.NotAllowed: 403,
    errors.Conflict: 409,
    errors.Overloaded: 503,
    errors.RateLimited: 429,
    errors.Interrupted: 503,
    errors.ModelError: 503,
    errors.PromptError: 400,
    errors.TemplateFailed: 503,
    errors.EngineFailed: 503,
}


def error_status(error: errors.ChatError) -> int:
    """The HTTP status: that of the nearest class in the error tree."""
    return next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)


def page_error(request: HttpRequest, error: errors.ChatError) -> HttpResponse:
    """The error as a page, or as its fragment when a part of a page was asked for."""
    template = "_problem.html" if request.headers.get("HX-Request") else "problem.html"
    status = error_status(error)
    response = render(request, template, {"title": error.message, "hint": error.hint}, status=status)
    if isinstance(error, errors.Overloaded):
        response["Retry-After"] = str(error.retry_after_s)
    return response


class ChatErrorMiddleware(Middleware):
    """Turns a ChatError that leaves a view into its page."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Called by Django for any exception of a view; None leaves it to the next."""
        return page_error(request, exception) if isinstance(exception, errors.ChatError) else None
