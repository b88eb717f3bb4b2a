"""Flows for the command line: from options to a stored flow, and from a flow to JSON."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django import forms
from django.core.management.base import CommandError

from chat.conf import ChatConf
from chat.domain.errors import InvalidInput
from chat.engine.model_files import chat_files
from chat.engine.model_folder import ModelFolder
from chat.models import Collection, Flow
from chat.models.flow_removal import remove_flow
from chat.web.flow_forms import FlowForm

_OPTIONS = {"system_prompt": "--system", "tools": "--tool", "allowed_origins": "--origin"}


def created_flow(options: dict[str, Any]) -> Flow:
    """Store a flow. Raises: CommandError naming each wrong option."""
    conf = ChatConf.from_settings()
    form = FlowForm(
        {
            "name": options["name"],
            "model": options["model"],
            "system_prompt": options["system"],
            "collection": _collection_id(options["collection"]),
            "tools": options["tool"],
            "all_tools": not options["tool"],
            "requires_key": options["require_key"],
            "allowed_origins": "\n".join(options["origin"]),
        },
        models=[file.name for file in chat_files(ModelFolder(conf.models_dir).scan())],
        tools=conf.tools,
    )
    if not form.is_valid():
        raise CommandError("\n".join(_complaints(form)))
    return form.save()


def flow_of_id(text: str) -> Flow:
    """Raises: CommandError when there is none."""
    try:
        return Flow.objects.get(pk=uuid.UUID(text))
    except (ValueError, Flow.DoesNotExist):
        raise CommandError(f"There is no flow {text}. manage.py flow list shows them.") from None


def delete_flow(text: str) -> None:
    """Raises: CommandError when there is none, and for the flow of a fresh install."""
    try:
        remove_flow(flow_of_id(text))
    except InvalidInput as exc:
        raise CommandError(f"{exc.message} {exc.hint}") from exc


def flow_as_json(flow: Flow) -> dict[str, Any]:
    """All that is set; empty values and null mean the server's own."""
    return {
        "id": str(flow.pk),
        "name": flow.name,
        "model": flow.model,
        "system_prompt": flow.system_prompt,
        "params": flow.params,
        "tools": flow.tools,
        "collection": flow.collection.name if flow.collection else None,
        "starter_prompts": flow.starter_prompts,
        "allowed_origins": flow.allowed_origins,
        "requires_key": flow.requires_key,
        "rate_limit_requests": flow.rate_limit_requests,
        "rate_limit_window_s": flow.rate_limit_window_s,
        "created_at": flow.created_at.isoformat(),
        "updated_at": flow.updated_at.isoformat(),
    }


def flow_as_text(flow: Flow) -> str:
    """One line a field."""
    return "\n".join(f"{name}: {_plain(value)}" for name, value in flow_as_json(flow).items())


def _collection_id(name: str) -> uuid.UUID | None:
    """Raises: CommandError when there is no such collection."""
    if not name:
        return None
    found = Collection.objects.named().filter(name=name).first()
    if found is None:
        raise CommandError(f"--collection: there is none called {name!r}. manage.py ingest makes one.")
    return uuid.UUID(str(found.pk))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _complaints(form: forms.BaseForm) -> list[str]:
    return [
        f"{_OPTIONS.get(field, '--' + field)}: {message}"
        for field, messages in form.errors.items()
        for message in messages
    ]
