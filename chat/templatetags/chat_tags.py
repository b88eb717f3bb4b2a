"""What templates need beyond Django's own tags: the reader's preferences, and numbers in words."""

from __future__ import annotations

from django import template
from django.http import HttpRequest

register = template.Library()

THEMES = ("system", "light", "dark")


@register.filter
def theme(request: HttpRequest) -> str:
    """The theme that the reader chose; rendered by the server, so that no page flashes in the wrong colours."""
    chosen = request.COOKIES.get("theme", "system")
    return chosen if chosen in THEMES else "system"


@register.filter
def sidebar_state(request: HttpRequest) -> str:
    """Whether the reader closed the sidebar on wide screens."""
    return "closed" if request.COOKIES.get("sidebar") == "closed" else "open"
