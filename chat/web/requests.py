"""What the page's views read from a request."""

from __future__ import annotations

import re
import uuid

from django.http import HttpRequest

from chat.models import Actor

_CONVERSATION_URL = re.compile(r"/c/([0-9a-f-]{36})")


class PageRequest(HttpRequest):
    """A request that has passed `ActorMiddleware`."""

    actor: Actor


def is_htmx(request: HttpRequest) -> bool:
    """Asked for by htmx, which wants a fragment; otherwise a page or a redirect."""
    return request.headers.get("HX-Request") == "true"


def current_conversation_id(request: HttpRequest) -> uuid.UUID | None:
    """The conversation on the page that htmx asks from."""
    found = _CONVERSATION_URL.search(request.headers.get("HX-Current-URL", ""))
    return parsed_uuid(found[1]) if found else None


def key_of(request: HttpRequest) -> uuid.UUID:
    """The form's key, by which a repeated post finds the first; a new one for a form without."""
    return parsed_uuid(request.POST.get("key", "")) or uuid.uuid4()


def parsed_uuid(text: str) -> uuid.UUID | None:
    """None for anything but a UUID."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
