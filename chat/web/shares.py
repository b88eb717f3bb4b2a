"""Sharing from the owner's side: the dialog of a conversation, and the page of all one's links."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import segno
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.http.loaders import conversation_for, share_link_for
from chat.models import Conversation, ShareLink
from chat.runs.shares import create_link, revoke
from chat.web.partials import partial
from chat.web.requests import PageRequest, is_htmx
from chat.web.share_forms import ShareForm


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link with its address."""

    link: ShareLink
    address: str

    @property
    def qr_code(self) -> SafeString:
        """The address as an SVG that carries nothing but shapes."""
        code = segno.make(self.address, error="m", micro=False)
        return mark_safe(code.svg_inline(omitsize=True, border=2, svgclass=None, lineclass=None))  # noqa: S308


@require_http_methods(["GET", "HEAD", "POST"])
def share(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The form for a new link with the links there are; the answer to it shows the new one."""
    conversation = conversation_for(request.actor, conversation_id)
    form = ShareForm(request.POST or None)
    if form.is_valid():
        link = create_link(conversation, form.terms())
        if not is_htmx(request):
            return _see(reverse("share_link", args=[link.pk]))
        return _dialog(request, conversation, {"made": _row(request, link)})
    context: dict[str, object] = {"form": form}
    if not is_htmx(request):
        return render(request, "share/share.html", _context(request, conversation, context))
    if request.method == "POST":
        return _dialog(request, conversation, context)
    return render(request, "share/_dialog.html", _context(request, conversation, context))


@require_safe
def links(request: PageRequest) -> HttpResponse:
    """All of one's links, the open ones first."""
    mine = Conversation.objects.kept().visible_to(request.actor)
    rows = _rows(request, ShareLink.objects.filter(conversation__in=mine))
    return render(request, "share/links.html", {"here": "links", "rows": rows})


@require_safe
def share_link(request: PageRequest, link_id: int) -> HttpResponse:
    """One link, to be copied."""
    link = share_link_for(request.actor, link_id)
    context = {"here": "links", "made": _row(request, link), "conversation": link.conversation}
    return render(request, "share/link.html", context)


@require_POST
def revoke_link(request: PageRequest, link_id: int) -> HttpResponse:
    """Close a link."""
    link = share_link_for(request.actor, link_id)
    revoke(link)
    if not is_htmx(request):
        return _see(reverse("links"))
    return _dialog(request, link.conversation, {"form": ShareForm()})


def _dialog(request: PageRequest, conversation: Conversation, context: dict[str, object]) -> HttpResponse:
    """The dialog in place of the one that is open."""
    html = render_to_string("share/_dialog.html", _context(request, conversation, context), request)
    return HttpResponse(partial("#dialog", "innerHTML", html))


def _context(
    request: PageRequest, conversation: Conversation, context: dict[str, object]
) -> dict[str, object]:
    rows = _rows(request, conversation.share_links.all())
    open_rows = [row for row in rows if row.link.is_open]
    return {"conversation": conversation, "rows": open_rows, "here": "links", **context}


def _rows(request: PageRequest, found: QuerySet[ShareLink]) -> list[LinkRow]:
    """Without their copies, which may be long; those that are still open first."""
    rows = [_row(request, link) for link in found.select_related("conversation").defer("snapshot")]
    return sorted(rows, key=lambda row: not row.link.is_open)


def _row(request: PageRequest, link: ShareLink) -> LinkRow:
    return LinkRow(link, request.build_absolute_uri(reverse("shared", args=[link.token])))


def _see(url: str) -> HttpResponse:
    response = redirect(url)
    response.status_code = 303
    return response
