"""What the message box offers as one types: "/" prompts, "@" models and assistants, "#" one's documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from chat.domain.errors import InvalidInput
from chat.models import Collection, Conversation, Document, DocumentStatus
from chat.runtime import get_runtime
from chat.web.flow_choice import STARTERS, flow_for, flows_for
from chat.web.partials import partial
from chat.web.requests import PageRequest, current_conversation_id

MAX_ENTRIES = 8

Act = Literal["write", "model", "flow", "document"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Choosing it writes `value` into the message, or chooses the model, assistant or document of that name or id."""

    act: Act
    value: str
    title: str


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of one kind."""

    name: str
    entries: list[Entry]


@require_safe
def composer_menu(request: PageRequest) -> HttpResponse:
    """The entries for `?sign=` that have the words `?q=`; nothing where there is nothing to choose."""
    groups_of = _GROUPS.get(request.GET.get("sign", ""))
    if groups_of is None:
        raise InvalidInput("There is no such menu.")
    wanted = request.GET.get("q", "").casefold().replace("\x00", "")
    groups = [group for group in groups_of(request, wanted) if group.entries]
    num_entries = sum(len(group.entries) for group in groups)
    html = render_to_string("chat/_menu_entries.html", {"groups": groups})
    count = f"{num_entries} to choose from" if num_entries else ""
    return HttpResponse(
        partial("#composer-menu", "innerHTML", html) + partial("#composer-menu-count", "innerHTML", count)
    )


def _prompts(request: PageRequest, wanted: str) -> Iterable[Group]:
    conversation = _conversation(request)
    flow = conversation.flow if conversation else flow_for(request.actor, request.GET.get("flow", ""))
    prompts = (flow.starter_prompts if flow else []) or STARTERS
    yield _group("Prompts", [Entry("write", text, text) for text in prompts], wanted)


def _answerers(request: PageRequest, wanted: str) -> Iterable[Group]:
    """As the two choices below the message box: none where there is only one."""
    models = [file.name for file in get_runtime().registry.files()]
    yield _group("Models", [Entry("model", name, name) for name in models if len(models) > 1], wanted)
    flows = [] if _conversation(request) else flows_for(request.actor)
    entries = [Entry("flow", str(flow.pk), flow.name) for flow in flows if len(flows) > 1]
    yield _group("Assistants", entries, wanted)


def _documents(request: PageRequest, wanted: str) -> Iterable[Group]:
    """Those of one's other chats, the newest first."""
    mine = Document.objects.filter(collections__in=Collection.objects.visible_to(request.actor))
    if conversation := _conversation(request):
        mine = mine.exclude(collections__conversation=conversation)
    rows = mine.filter(filename__icontains=wanted, status=DocumentStatus.READY).order_by("-created_at", "pk")
    names = rows.values_list("pk", "filename").distinct()[:MAX_ENTRIES]
    yield Group("Documents", [Entry("document", str(pk), name) for pk, name in names])


_GROUPS: dict[str, Callable[[PageRequest, str], Iterable[Group]]] = {
    "/": _prompts,
    "@": _answerers,
    "#": _documents,
}


def _group(name: str, entries: list[Entry], wanted: str) -> Group:
    return Group(name, [each for each in entries if wanted in each.title.casefold()][:MAX_ENTRIES])


def _conversation(request: PageRequest) -> Conversation | None:
    """The one on the page; None for a new chat."""
    mine = Conversation.objects.visible_to(request.actor).kept().select_related("flow")
    found: Conversation | None = mine.filter(pk=current_conversation_id(request)).first()
    return found
