"""Who is behind a request: `request.actor`, the guest cookie, and the door for those without an account.

The guest cookie holds a signed random key. Whoever signs in with it in hand takes the guest's rows along.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from chat.http.headers import SHARE_PATH
from chat.http.middleware import Middleware
from chat.models import Actor, User
from chat.models.access import Owned
from chat.runs.message_words import adopt_words

DAY_S = 86_400
GUEST_COOKIE_AGE_S = 365 * DAY_S
# A guest who comes back gets a fresh year, but not with every answer.
RENEW_AFTER_S = 30 * DAY_S
_SALT = "chat.guest"

# Programs come with keys: no cookie of a browser counts there, and none is given.
API_PATHS = ("/api/v1/", "/v1/")

# Open to everyone even with PARLEY_ACCESS=login. The admin asks for an account by itself, and so does whoever wants
# to go on with a shared chat.
OPEN_PATHS = ("/accounts/", "/setup/", "/health/", "/metrics", "/static/", "/admin/", SHARE_PATH)


@dataclass(frozen=True, slots=True)
class Guest:
    """The guest key that a request carries, or a new one."""

    key: uuid.UUID
    is_known: bool
    is_fresh: bool

    @classmethod
    def of(cls, request: HttpRequest) -> Guest:
        """Read the cookie; a missing, forged or outdated one gives a new key."""
        if key := _read_key(request, RENEW_AFTER_S):
            return cls(key, is_known=True, is_fresh=True)
        if key := _read_key(request, GUEST_COOKIE_AGE_S):
            return cls(key, is_known=True, is_fresh=False)
        return cls(uuid.uuid4(), is_known=False, is_fresh=False)


class ActorMiddleware(Middleware):
    """Sets `request.actor`, keeps the guest cookie, and with PARLEY_ACCESS=login asks guests to log in."""

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        """On a thread."""
        if request.path.startswith(API_PATHS):
            request.actor = Actor()  # type: ignore[attr-defined]
            return super().answer(request)
        guest = Guest.of(request)
        user = request.user if request.user.is_authenticated else None
        if user and guest.is_known:
            adopt(guest.key, user)
        admit(request, guest, user)
        response = turned_away(request) or self.get_response(request)
        return leave(request, response, guest)

    async def answer_async(self, request: HttpRequest) -> HttpResponseBase:
        """On the event loop; only an account and its first request after a login need the database."""
        if request.path.startswith(API_PATHS):
            request.actor = Actor()  # type: ignore[attr-defined]
            return await super().answer_async(request)
        guest = Guest.of(request)
        request.user = found = await request.auser()  # plain, so that no later look at it queries again
        user = found if found.is_authenticated else None
        if user and guest.is_known:
            await sync_to_async(adopt)(guest.key, user)
        admit(request, guest, user)
        response = turned_away(request) or await self.get_response(request)
        return leave(request, response, guest)


def admit(request: HttpRequest, guest: Guest, user: User | None) -> None:
    """Set `request.actor`."""
    request.actor = Actor(user=user) if user else Actor(guest_key=guest.key)  # type: ignore[attr-defined]


def adopt(guest_key: uuid.UUID, user: User) -> None:
    """Give everything of a guest to an account, at once; also while answers are being written."""
    with transaction.atomic():
        adopt_words(guest_key, user)
        for model in Owned.__subclasses__():
            model._default_manager.filter(guest_key=guest_key).update(owner=user, guest_key=None)


def turned_away(request: HttpRequest) -> HttpResponse | None:
    """With PARLEY_ACCESS=login: what a guest gets instead. Programs get 401, people the login page."""
    if settings.PARLEY_ACCESS != "login" or request.actor.user:  # type: ignore[attr-defined]
        return None
    if request.path.startswith(OPEN_PATHS):
        return None
    login = reverse("account_login")
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": login})
    if not request.accepts("text/html"):
        return JsonResponse({"error": {"code": "not_allowed", "message": "Log in first."}}, status=401)
    target = request.get_full_path() if request.method == "GET" else reverse("home")
    return redirect(f"{login}?{urlencode({'next': target})}")


def leave(request: HttpRequest, response: HttpResponseBase, guest: Guest) -> HttpResponseBase:
    """Keep the guest cookie right: given with a page, taken away once its rows belong to an account."""
    if request.actor.user:  # type: ignore[attr-defined]
        if guest.is_known:
            response.delete_cookie(guest_cookie_name(), samesite="Lax")
    elif not guest.is_fresh and _is_page(response) and settings.PARLEY_ACCESS == "open":
        _give_cookie(response, guest.key)
    return response


def guest_cookie_name() -> str:
    """With TLS the browser itself guarantees that no other host or path has set it."""
    return "__Host-parley_guest" if settings.PARLEY_HTTPS else "parley_guest"


def _read_key(request: HttpRequest, max_age_s: int) -> uuid.UUID | None:
    text = request.get_signed_cookie(guest_cookie_name(), default=None, salt=_SALT, max_age=max_age_s)
    return uuid.UUID(text) if text else None


def _give_cookie(response: HttpResponseBase, key: uuid.UUID) -> None:
    response.set_signed_cookie(
        guest_cookie_name(),
        key.hex,
        salt=_SALT,
        max_age=GUEST_COOKIE_AGE_S,
        secure=settings.PARLEY_HTTPS,
        httponly=True,
        samesite="Lax",
    )


def _is_page(response: HttpResponseBase) -> bool:
    return response.status_code < 400 and response.get("Content-Type", "").startswith("text/html")
