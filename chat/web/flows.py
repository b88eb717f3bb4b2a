"""The pages on which administrators make flows, change them and delete them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from chat.models import Flow
from chat.models.flow_removal import keys_only_for, remove_flow
from chat.runtime import get_runtime
from chat.web.flow_choice import all_flows
from chat.web.flow_forms import FlowForm
from chat.web.requests import PageRequest

View = Callable[..., HttpResponse]


def for_staff(view: View) -> View:
    """For everybody else the page does not exist."""

    @wraps(view)
    def guarded(request: PageRequest, **of_path: Any) -> HttpResponse:
        user = request.actor.user
        if user is None or not user.is_staff:
            raise Http404
        return view(request, **of_path)

    return guarded


@require_safe
@for_staff
def flows(request: PageRequest) -> HttpResponse:
    """All flows, with the address at which programs ask each."""
    rows = [(flow, request.build_absolute_uri(f"/api/v1/prediction/{flow.pk}")) for flow in all_flows()]
    return render(request, "flows/flows.html", {"here": "flows", "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def new_flow(request: PageRequest) -> HttpResponse:
    """The empty form, and its answer."""
    return _form_page(request, Flow())


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def edit_flow(request: PageRequest, flow_id: uuid.UUID) -> HttpResponse:
    """The form of a flow, and its answer."""
    return _form_page(request, get_object_or_404(Flow, pk=flow_id))


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def delete_flow(request: PageRequest, flow_id: uuid.UUID) -> HttpResponse:
    """The question whether to delete, and its answer."""
    flow = get_object_or_404(Flow, pk=flow_id)
    if request.method == "POST":
        remove_flow(flow)
        return redirect("flows")
    return render(request, "flows/delete.html", {"here": "flows", "flow": flow, "keys": keys_only_for(flow)})


def _form_page(request: PageRequest, flow: Flow) -> HttpResponse:
    runtime = get_runtime()
    form = FlowForm(
        request.POST or None,
        instance=flow,
        models=[file.name for file in runtime.registry.files()],
        tools=[spec.name for spec in runtime.tools.specs()],
    )
    if form.is_valid():
        form.save()
        return redirect("flows")
    is_new = flow._state.adding
    return render(request, "flows/flow.html", {"here": "flows", "form": form, "flow": flow, "is_new": is_new})
