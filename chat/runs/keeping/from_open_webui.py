"""Reading the conversations of Open WebUI's export: text with all branches, models, ratings and tags.

Left out are files and what its searches found. Source: Open WebUI 0.3 to 0.6.
"""

from __future__ import annotations

from typing import Literal

from chat.domain.messages import TextPart
from chat.models.conversation import TAG_MAX_CHARS, TITLE_MAX_CHARS
from chat.runs.keeping.fields import Fields, clean
from chat.runs.keeping.imported import (
    MAX_MESSAGES,
    ImportedChat,
    ImportedFeedback,
    ImportedMessage,
    ImportedRun,
    Node,
    tree_of,
)

SOURCE = "open-webui"
ID_MAX_CHARS = 200
MAX_TAGS = 50


def chat_from_open_webui(row: Fields) -> ImportedChat:
    """Raises: InvalidInput naming the place."""
    chat = row.inner("chat")
    history = chat.inner("history")
    found = history.inner("messages")
    if len(found.values) > MAX_MESSAGES:
        raise history.wrong("messages", f"are more than {MAX_MESSAGES:,}")
    nodes = [_node(name, found.inner(name)) for name in found.values]
    messages, leaf = tree_of(nodes, history.text("currentId", max_chars=ID_MAX_CHARS), row.place)
    updated_at = row.moment("updated_at")
    return ImportedChat(
        source=SOURCE,
        source_id=row.text("id", max_chars=ID_MAX_CHARS) or chat.text("id", max_chars=ID_MAX_CHARS),
        title=(row.text("title") or chat.text("title"))[:TITLE_MAX_CHARS],
        messages=messages,
        leaf=leaf,
        tags=_tags(row),
        pinned_at=updated_at if row.values.get("pinned") is True else None,
        archived_at=updated_at if row.values.get("archived") is True else None,
        created_at=row.moment("created_at"),
        updated_at=updated_at,
    )


def _node(name: str, message: Fields) -> Node:
    role = _role(message)
    text = message.text("content")
    parent = message.text("parentId", max_chars=ID_MAX_CHARS) or None
    if role is None or not text.strip():
        return Node(name, parent, None)
    created_at, model = message.moment("timestamp"), message.text("model", max_chars=ID_MAX_CHARS)
    is_answer = role == "assistant"
    runs = (ImportedRun({"model": model, "status": "done", "created_at": created_at}),) if model else ()
    return Node(
        name,
        parent,
        ImportedMessage(
            name,
            None,
            role,
            (TextPart(text),),
            created_at,
            runs if is_answer else (),
            _feedback(message) if is_answer else (),
        ),
    )


def _role(message: Fields) -> Literal["user", "assistant"] | None:
    match message.text("role"):
        case "user":
            return "user"
        case "assistant":
            return "assistant"
    return None


def _feedback(message: Fields) -> tuple[ImportedFeedback, ...]:
    annotation = message.inner("annotation")
    reason = " · ".join(filter(None, [annotation.text("reason"), annotation.text("comment")]))
    match annotation.values.get("rating"):
        case 1:
            return (ImportedFeedback("up", reason, None),)
        case -1:
            return (ImportedFeedback("down", reason, None),)
    return ()


def _tags(row: Fields) -> tuple[str, ...]:
    tags = row.inner("meta").items("tags", max_items=MAX_TAGS)
    return tuple(
        dict.fromkeys(clean(tag).casefold()[:TAG_MAX_CHARS] for tag in tags if isinstance(tag, str) and tag)
    )
