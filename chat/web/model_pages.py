"""The pages on which administrators see the models, load and unload them, remove them, and pull new ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.domain.errors import ChatError, Conflict, InvalidInput, ModelError
from chat.engine.memory import room_bytes
from chat.hub.known import KNOWN_MODELS
from chat.hub.plan import Plan, bytes_there, check_place, is_there
from chat.runtime import Runtime, get_runtime
from chat.web.flows import for_staff
from chat.web.model_rows import PullRow, consequences_of_removal, memory_view, model_rows
from chat.web.requests import PageRequest, is_htmx

MAX_VARIANTS_SHOWN = 30

_VERBS: dict[str, Callable[[Runtime, str], object]] = {
    "load": lambda runtime, name: runtime.registry.load(name),
    "unload": lambda runtime, name: runtime.registry.unload(name),
    "go on": lambda runtime, name: runtime.pulls.go_on(name),
    "cancel": lambda runtime, name: runtime.pulls.cancel(name),
}


@require_safe
@for_staff
def models(request: PageRequest) -> HttpResponse:
    """All models and downloads; for htmx only what changes by itself."""
    if is_htmx(request):
        return render(request, "models/_state.html", _state())
    return _page(request)


@require_safe
@for_staff
def plan_pull(request: PageRequest) -> HttpResponse:
    """What the hub has under `?name=`, and the button that downloads it."""
    name = request.GET.get("name", "")
    pulls = get_runtime().pulls
    try:
        plan = pulls.look_up(name)
    except (InvalidInput, ModelError) as exc:
        return _page(request, asked=name, error=exc)
    return render(request, "models/plan.html", _plan_context(plan))


@require_POST
@for_staff
def begin_pull(request: PageRequest) -> HttpResponse:
    """Download what `name` means; the page that is shown next tells how far it is."""
    name = request.POST.get("name", "")
    pulls = get_runtime().pulls
    try:
        pulls.start(pulls.look_up(name))
    except (InvalidInput, ModelError, Conflict) as exc:
        return _page(request, asked=name, error=exc)
    return redirect("models")


@require_POST
@for_staff
def act(_request: PageRequest, name: str, verb: str) -> HttpResponse:
    """Do one of `_VERBS` to the model, or the download, of this name."""
    _VERBS[verb](get_runtime(), name)
    return redirect("models")


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def remove_model(request: PageRequest, name: str) -> HttpResponse:
    """The question whether to delete a model's files, and its answer."""
    runtime = get_runtime()
    if request.method == "POST":
        runtime.registry.remove(name)
        return redirect("models")
    row = next((row for row in model_rows(runtime) if row.name == name and row.can_be_named), None)
    if row is None:
        raise Http404
    context = {"here": "models", "row": row, "consequences": consequences_of_removal(runtime, name)}
    return render(request, "models/remove.html", context)


def _page(request: PageRequest, *, asked: str = "", error: ChatError | None = None) -> HttpResponse:
    context = {
        **_state(),
        "here": "models",
        "known": KNOWN_MODELS.values(),
        "can_pull": get_runtime().pulls.is_on,
        "asked": asked,
        "error": error,
    }
    return render(request, "models/models.html", context, status=400 if error else 200)


def _state() -> dict[str, Any]:
    runtime = get_runtime()
    rows = model_rows(runtime)
    pulls = [PullRow(status) for status in runtime.pulls.statuses()]
    return {
        "rows": rows,
        "pulls": pulls,
        "memory": memory_view(runtime),
        "is_moving": any(row.is_moving for row in rows) or any(pull.is_moving for pull in pulls),
        "models_dir": runtime.conf.models_dir,
    }


def _plan_context(plan: Plan) -> dict[str, Any]:
    folder = get_runtime().pulls.folder
    problem: ChatError | None = None
    try:
        check_place(folder, plan)
    except ModelError as exc:
        problem = exc
    return {
        "here": "models",
        "plan": plan,
        "problem": problem,
        "is_there": is_there(folder, plan),
        "there_bytes": bytes_there(folder, plan),
        "needed_bytes": plan.size_bytes + room_bytes(plan.size_bytes),
        "memory": memory_view(get_runtime()),
        "others": plan.others[:MAX_VARIANTS_SHOWN],
    }
