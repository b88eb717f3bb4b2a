"""Pictures on the page: each is its owner's alone. What shows them to the model is the question that they go with."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from chat.http.loaders import picture_for
from chat.http.sight import check_sees
from chat.models import Collection, Picture
from chat.web.flow_choice import flow_for
from chat.web.requests import PageRequest

# It never changes; nobody else's cache may keep it.
_CACHING = "private, max-age=31536000, immutable"
_POLICY = "sandbox; default-src 'none'"


@require_safe
def picture(request: PageRequest, picture_id: uuid.UUID) -> HttpResponse:
    """The picture itself, as its reader made it: never a file as it came."""
    found = picture_for(request.actor, picture_id)
    response = HttpResponse(bytes(found.data), content_type=found.media_type)
    response["Cache-Control"] = _CACHING
    response["Content-Security-Policy"] = _POLICY
    response["X-Content-Type-Options"] = "nosniff"
    return response


def remove_picture(collection: Collection, picture_id: uuid.UUID) -> None:
    """Take back one that was not sent. Raises: Http404."""
    found: Picture = get_object_or_404(collection.pictures.waiting(), pk=picture_id)
    found.delete()


def model_of(request: PageRequest, collection: Collection | None) -> str:
    """The model that would answer now: the one chosen beside the message box, else the chat's; "" is the default."""
    if chosen := request.POST.get("model", ""):
        return chosen
    if collection and collection.conversation:
        return collection.conversation.model
    return flow_for(request.actor, request.POST.get("flow", "")).model


def check_waiting_are_seen(request: PageRequest, collection: Collection | None) -> bool:
    """Whether pictures go along with the next message. Raises: InvalidInput when the chosen model does not see."""
    if collection is None or not collection.pictures.waiting().exists():
        return False
    check_sees(model_of(request, collection))
    return True
