"""Who is behind a program's request: the API key, what it may do, and how often."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.http import HttpRequest

from chat.domain.errors import NotAllowed, Unauthorized
from chat.http.rate_limits import check_rate
from chat.models import Actor, ApiKey, Flow, Right

# Programs that ask an open flow without a key: one guest for each of their conversations.
_OPEN_GUEST = uuid.UUID("0f0f5a36-3b51-4a39-8a55-3c7f4d4d9d11")


@dataclass(frozen=True, slots=True)
class Caller:
    """`actor` owns what the request makes; `key` is None where a flow is open to everyone."""

    actor: Actor
    key: ApiKey | None = None

    @property
    def name(self) -> str:
        """For idempotency keys and limits: the same for all requests of one key."""
        return f"key:{self.key.pk}" if self.key else self.actor.scope


def key_of_request(request: HttpRequest) -> ApiKey | None:
    """The key that the request carries; None when it carries none. Touches the database.

    Raises: Unauthorized for a key that is not good.
    """
    header = request.headers.get("Authorization", "").strip()
    secret = header.rpartition("Bearer ")[2].strip()  # a bare key is taken too
    if not secret:
        return None
    key = ApiKey.objects.of_secret(secret)
    if key is None:
        raise Unauthorized("Unauthorized", hint="The API key is wrong, or it was revoked.")
    key.note_use()
    return key


def require_key(request: HttpRequest, right: Right, flow: Flow | None = None) -> Caller:
    """The caller by key, for `flow` or (None) for models without one. Touches the database.

    Raises: Unauthorized, NotAllowed when the key lacks the right or does not cover the flow, RateLimited.
    """
    return caller_with(key_with(request, right), flow)


def key_with(request: HttpRequest, right: Right) -> ApiKey:
    """The request's key, before it is known what for; `caller_with` must follow. Touches the database.

    Raises: Unauthorized, NotAllowed when the key lacks the right, RateLimited.
    """
    key = key_of_request(request)
    if key is None:
        raise Unauthorized("Unauthorized")
    if right not in key.rights:
        raise NotAllowed(f"This API key may not {right.label}.", hint="Make a key with that right.")
    check_rate(f"key:{key.pk}", f"user:{key.user_id}")
    return key


def caller_with(key: ApiKey, flow: Flow | None) -> Caller:
    """The caller by key. Touches the database. Raises: NotAllowed when the key does not cover the flow."""
    if not key.covers(flow):
        what = f"the flow {flow.name}" if flow else "models outside of its flows"
        raise NotAllowed(f"This API key may not be used for {what}.")
    return Caller(Actor(user=key.user), key)


def caller_for(request: HttpRequest, flow: Flow, guest_name: str = "") -> Caller:
    """Who asks a flow: by key, or without one where the flow is open. Touches the database.

    `guest_name` tells the conversations of guests apart: what one of them owns, no other sees.

    Raises: Unauthorized, NotAllowed, RateLimited.
    """
    if "Authorization" in request.headers or flow.requires_key:
        return require_key(request, Right.GENERATE, flow)
    guest = uuid.uuid5(_OPEN_GUEST, f"{flow.pk}:{guest_name or uuid.uuid4()}")
    return Caller(Actor(guest_key=guest))
