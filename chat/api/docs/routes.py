"""The routes of the APIs and what their views tell of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from chat.http.openapi import Operation

API_PACKAGE = "chat.api."

_PARAMETER = re.compile(r"<(?:[^>:]+:)?(\w+)>")
# What a path parameter may be, by the name of Django's converter.
_CONVERTED: dict[str, dict[str, Any]] = {
    "StringConverter": {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
    "PathConverter": {"type": "string", "minLength": 1},
    "SlugConverter": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"},
    "IntConverter": {"type": "integer", "minimum": 0},
    "UUIDConverter": {"type": "string", "format": "uuid"},
}


@dataclass(frozen=True, slots=True)
class Route:
    """One path of an API; `parameters` are those in the path, as OpenAPI has them."""

    name: str
    path: str
    view: Callable[..., Any]
    parameters: tuple[dict[str, Any], ...]

    @property
    def is_documented(self) -> bool:
        """Whether `documented` was put on the view, be it without operations."""
        return hasattr(self.view, "operations")

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What `documented` attached; empty for a view that says nothing."""
        found: tuple[Operation, ...] = getattr(self.view, "operations", ())
        return found


def api_routes() -> list[Route]:
    """Every route whose view stands in an API's package, in the order of the sitemap."""
    return [
        _route(pattern, prefix)
        for pattern, prefix in _patterns(get_resolver().url_patterns, "/")
        if pattern.callback.__module__.startswith(API_PACKAGE)
    ]


def _patterns(entries: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[URLPattern, str]]:
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns, prefix + str(entry.pattern))
        else:
            yield entry, prefix


def _route(pattern: URLPattern, prefix: str) -> Route:
    parameters = tuple(
        {"name": name, "in": "path", "required": True, "schema": _CONVERTED[type(converter).__name__]}
        for name, converter in pattern.pattern.converters.items()
    )
    path = _PARAMETER.sub(r"{\1}", prefix + str(pattern.pattern))
    return Route(pattern.name or "", path, pattern.callback, parameters)
