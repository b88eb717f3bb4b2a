"""What anybody with a link gets: the page, its stream, the password before it, and a copy to go on with."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from chat.domain.errors import NotAllowed
from chat.http.loaders import open_link_for
from chat.http.rate_limits import check_share_copy_rate, check_share_password_rate
from chat.http.streaming import streamed
from chat.models import Actor, Conversation, ShareLink
from chat.runs.shares import copy_for
from chat.runtime import get_runtime
from chat.web.news import tell_list_changed
from chat.web.requests import PageRequest, is_htmx
from chat.web.shared_page import SharedPage, page_of
from chat.web.shared_stream import shared_frames

SCRIPTS = tuple(f"js/{name}.js" for name in ("cards", "citations", "connection", "copy", "shared", "sources"))
FOLLOW = "js/follow.js"
COOKIE = "parley_share"
COOKIE_AGE_S = 24 * 3600


@csrf_exempt  # the password is the proof; with `no-referrer` a browser sends its form from the origin "null"
@require_http_methods(["GET", "HEAD", "POST"])
def shared(request: PageRequest, token: str) -> HttpResponse:
    """The page, its messages from number `?from=` on, or the form for its password."""
    link = open_link_for(token)
    if request.method == "POST" and link.password:
        return _unlock(request, link)
    if not _is_unlocked(request, link):
        return render(request, "share/password.html", {"is_wrong": False})
    if _counts(request, link):
        link.count_view()
    page = page_of(link, get_runtime().log, _start(request))
    context = _context(request, link, page)
    if is_htmx(request):
        return render(request, "share/_log.html", {**context, "is_fragment": True})
    return render(request, "share/shared.html", context)


@require_GET
async def shared_events(request: PageRequest, token: str) -> HttpResponseBase:
    """What changes on the page, until the link is closed; with `?still`, only that it is closed."""
    link = await sync_to_async(open_link_for)(token)
    if not _is_unlocked(request, link):
        raise Http404
    return streamed(
        shared_frames(get_runtime().log, token, follows="still" not in request.GET), "text/event-stream"
    )


@csrf_exempt  # see `_proof`
@require_POST
def continue_shared(request: PageRequest, token: str) -> HttpResponse:
    """A copy for the viewer, to go on with."""
    link = open_link_for(token)
    if not _is_unlocked(request, link):
        raise Http404
    if settings.PARLEY_ACCESS == "login" and not request.actor.user:
        return redirect_to_login(reverse("shared", args=[token]))
    if not constant_time_compare(request.POST.get("proof", ""), _proof(request.actor, link)):
        raise NotAllowed("This page is too old.", hint="Load the shared chat again, then continue it.")
    check_share_copy_rate(request)
    copy = copy_for(request.actor, link)
    tell_list_changed(request.actor, copy.pk)
    return _see(reverse("conversation", args=[copy.pk]))


def _unlock(request: PageRequest, link: ShareLink) -> HttpResponse:
    check_share_password_rate(request, link.token)
    if not check_password(request.POST.get("password", ""), link.password):
        return render(request, "share/password.html", {"is_wrong": True}, status=403)
    address = reverse("shared", args=[link.token])
    response = _see(address)
    response.set_signed_cookie(
        COOKIE,
        "open",
        salt=_cookie_salt(link),
        max_age=COOKIE_AGE_S,
        path=address,
        secure=settings.PARLEY_HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return response


def _is_unlocked(request: PageRequest, link: ShareLink) -> bool:
    if not link.password:
        return True
    given = request.get_signed_cookie(COOKIE, default="", salt=_cookie_salt(link), max_age=COOKIE_AGE_S)
    return given == "open"


def _cookie_salt(link: ShareLink) -> str:
    """Good for this link and this password alone."""
    return f"chat.share:{link.token}:{link.password}"


def _counts(request: PageRequest, link: ShareLink) -> bool:
    """Whether it is a view: not by the owner, nor a robot's question, nor a page that refreshes itself or goes on."""
    is_owner = Conversation.objects.visible_to(request.actor).filter(pk=link.conversation_id).exists()
    is_first = not {"refresh", "from"} & request.GET.keys()
    return request.method == "GET" and is_first and not is_owner


def _start(request: PageRequest) -> int | None:
    given = request.GET.get("from", "")
    return int(given) if given.isdecimal() and len(given) < 10 else None


def _proof(actor: Actor, link: ShareLink) -> str:
    """That a form comes from a page of ours that this viewer was given. Django's own check looks at the origin,
    which browsers hide on a page with `no-referrer`.
    """
    return salted_hmac("chat.share.continue", f"{actor.scope}:{link.token}").hexdigest()


def _context(request: PageRequest, link: ShareLink, page: SharedPage) -> dict[str, object]:
    address = reverse("shared", args=[link.token])
    return {
        "page": page,
        "is_live": link.is_live,
        "created_at": link.created_at,
        "address": address,
        "events_url": f"{address}/events{'' if page.follows else '?still'}",
        "continue_url": f"{address}/continue",
        "refresh_url": f"{address}?refresh=1" if page.live else "",
        "proof": _proof(request.actor, link),
        "scripts": (*SCRIPTS, FOLLOW) if page.live else SCRIPTS,  # who comes to read begins at the top
    }


def _see(url: str) -> HttpResponse:
    response = redirect(url)
    response.status_code = 303
    return response
