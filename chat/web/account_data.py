"""The page of what one has here: to take it along, to bring more, to have it all forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import IO, cast

from asgiref.sync import sync_to_async
from django import forms
from django.contrib.auth import logout
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.domain.errors import InvalidInput
from chat.http.actor import guest_cookie_name
from chat.http.rate_limits import check_account_password_rate, check_import_rate
from chat.models import Conversation, User
from chat.runs.keeping.importing import Report, import_chats
from chat.runs.leaving import check_may_leave, forget
from chat.runtime import get_runtime
from chat.web.conversations import see
from chat.web.news import tell_list_changed
from chat.web.requests import PageRequest

# Where the rows of `account/imported.html` go.
_ROWS = "<!-- rows -->"


@require_safe
def account_data(request: PageRequest) -> HttpResponse:
    """What there is, and what can be done with it."""
    num_chats = Conversation.objects.visible_to(request.actor).kept().count()
    return render(request, "account/data.html", {"here": "data", "num_chats": num_chats})


@require_POST
async def import_file(request: PageRequest) -> HttpResponseBase:
    """A page that grows by a row for each conversation of the file, as it is stored."""
    file = await sync_to_async(_posted_file)(request)
    page = await sync_to_async(render_to_string)("account/imported.html", {"here": "data"}, request)
    return StreamingHttpResponse(_rows(request, import_chats(file, request.actor), page))


def _posted_file(request: PageRequest) -> IO[bytes]:
    check_import_rate(request, request.actor.scope)
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise InvalidInput("No file was chosen.", hint="Choose the file of an export.")
    return cast(IO[bytes], file)  # Django's proxy of one


async def _rows(request: PageRequest, reports: Iterator[Report], page: str) -> AsyncIterator[str]:
    head, foot = page.split(_ROWS)
    yield head
    counts: Counter[str] = Counter()
    while (report := await sync_to_async(_next)(reports)) is not None:
        counts[report.outcome.value] += 1
        yield await sync_to_async(render_to_string)("account/_report.html", {"report": report})
        if report.conversation_id and counts.total() % 100 == 1:
            await sync_to_async(tell_list_changed)(request.actor, report.conversation_id)
    yield await sync_to_async(render_to_string)("account/_import_end.html", {"counts": counts})
    yield foot


def _next(reports: Iterator[Report]) -> Report | None:
    return next(reports, None)


class LeaveForm(forms.Form):
    """The password of whoever has an account."""

    password = forms.CharField(
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="To be sure that it is you.",
    )


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: PageRequest) -> HttpResponse:
    """The question whether everything shall be deleted, and its answer."""
    user = request.actor.user
    form = LeaveForm(request.POST or None) if user else None
    check_may_leave(request.actor)
    if request.method == "POST" and (user is None or _is_confirmed(user, form)):
        return _forgotten(request)
    return render(request, "account/leave.html", {"here": "data", "form": form})


def _is_confirmed(user: User, form: LeaveForm | None) -> bool:
    if form is None or not form.is_valid():
        return False
    check_account_password_rate(f"user:{user.pk}")
    if user.check_password(form.cleaned_data["password"]):
        return True
    form.add_error("password", "This is not your password.")
    return False


def _forgotten(request: PageRequest) -> HttpResponse:
    runtime = get_runtime()
    forget(request.actor, runtime.runs, runtime.library)
    logout(request)
    response = see(reverse("home"))
    response.delete_cookie(guest_cookie_name(), samesite="Lax")
    return response
