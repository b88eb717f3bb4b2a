"""The page of one's API keys. A secret is in one answer only, and nowhere else."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from chat.models import ApiKey, Right, User
from chat.web.flow_choice import all_flows
from chat.web.key_forms import KeyForm
from chat.web.requests import PageRequest


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: PageRequest) -> HttpResponse:
    """One's keys and the form for another; the answer to the form shows the secret."""
    user = _user_of(request)
    all_flows()  # makes the default one in a fresh database
    form = KeyForm(user, request.POST or None)
    if form.is_valid():
        with transaction.atomic():
            key, secret = form.issue()
        return render(request, "keys/new.html", {"here": "keys", "key": key, "secret": secret})
    rows = ApiKey.objects.filter(user=user).prefetch_related("flows")
    rows = rows.order_by(F("revoked_at").desc(nulls_first=True), "-created_at")
    labels = dict(Right.choices)
    listed = [(key, [labels[right] for right in key.rights if right in labels]) for key in rows]
    return render(request, "keys/keys.html", {"here": "keys", "form": form, "rows": listed})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: PageRequest, key_id: int) -> HttpResponse:
    """The question whether to revoke, and its answer."""
    key = get_object_or_404(ApiKey, user=_user_of(request), pk=key_id)
    if request.method == "POST":
        key.revoke()
        return redirect("keys")
    return render(request, "keys/revoke.html", {"here": "keys", "key": key})


def _user_of(request: PageRequest) -> User:
    user = request.actor.user
    assert user is not None  # `login_required` has seen to it
    return user
