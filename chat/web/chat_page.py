"""What the chat's templates are given."""

from __future__ import annotations

import uuid
from typing import Any

from chat.models import Conversation
from chat.runtime import get_runtime
from chat.web.attachments import attachments_of, attachments_of_draft, draft_for, upload_context
from chat.web.flow_choice import flow_name_of, new_chat_context
from chat.web.requests import PageRequest
from chat.web.sidebar import sidebar_of
from chat.web.transcript import Transcript, transcript_of
from chat.web.words import announcement, status_text

# One behaviour a file; each finds its elements by data-* attributes.
_BEHAVIOURS = (
    "attach",
    "cards",
    "citations",
    "composer",
    "connection",
    "copy",
    "dialogs",
    "finding",
    "follow",
    "menu",
    "news",
    "palette",
    "paste",
    "problems",
    "rename",
    "shortcuts",
    "sidebar",
    "sources",
    "theme",
    "timers",
    "turns",
)
SCRIPTS = tuple(f"js/{name}.js" for name in _BEHAVIOURS)


def page_context(
    request: PageRequest, conversation: Conversation | None, transcript: Transcript | None = None
) -> dict[str, Any]:
    """For `chat/conversation.html` and its part `chat/_chat.html`. `transcript`: other messages than the last."""
    transcript = transcript or (transcript_of(conversation) if conversation else Transcript(()))
    return {
        "conversation": conversation,
        "title": str(conversation or "Parley"),
        "sidebar": sidebar_of(request.actor, conversation.pk if conversation else None),
        "transcript": transcript,
        "usage": transcript.usage,
        "scripts": SCRIPTS,
        **attachment_context(request, conversation),
        **flow_context(request, conversation),
        **model_context(request, conversation),
        **live_context(transcript),
        "key": uuid.uuid4(),
    }


def live_context(transcript: Transcript) -> dict[str, Any]:
    """For the status line and the button that is Send or Stop."""
    live = transcript.live
    if live is None or live.view is None:
        return {"run_id": None, "status": "", "announcement": ""}
    return {"run_id": live.run_id, "status": status_text(live.view), "announcement": announcement(live.view)}


def attachment_context(request: PageRequest, conversation: Conversation | None) -> dict[str, Any]:
    """The documents above the text box: the conversation's, or those that wait for its first message."""
    if conversation:
        attachments = attachments_of(conversation)
    else:
        attachments = attachments_of_draft(draft_for(request.actor, request.GET.get("documents", "")))
    return {"attachments": attachments, **upload_context()}


def flow_context(request: PageRequest, conversation: Conversation | None) -> dict[str, Any]:
    """The choice of an assistant for a new chat; only its name for one that has begun."""
    if conversation:
        return {"flow_name": flow_name_of(conversation)}
    return new_chat_context(request.actor, request.GET.get("flow", ""))


def model_context(request: PageRequest, conversation: Conversation | None) -> dict[str, Any]:
    """The models to choose from. Only staff are told where on the disk they belong."""
    runtime = get_runtime()
    models = runtime.registry.models()
    names = [file.name for file in runtime.registry.files()]
    default = runtime.conf.default_model or (names[0] if names else "")
    user = request.actor.user
    return {
        "models": names,
        "has_models": bool(names),
        "model_problems": [(model.name, model.error) for model in models if model.error and not model.usable],
        "model": (conversation.model if conversation else "") or default,
        "models_dir": runtime.conf.models_dir if user and user.is_staff else "",
    }
