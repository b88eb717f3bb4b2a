"""Reading the conversations of ChatGPT's export (`conversations.json`).

Kept are what people and the model wrote, with all branches and what it thought. Left out are the prompts and answers of
its tools, hidden messages and the files, which are not in the export's JSON. Source: exports of 2023 to 2025.
"""

from __future__ import annotations

from typing import Literal

from chat.domain.messages import Part, ReasoningPart, TextPart
from chat.models.conversation import TITLE_MAX_CHARS
from chat.runs.keeping.fields import Fields, clean
from chat.runs.keeping.imported import MAX_MESSAGES, ImportedChat, ImportedMessage, ImportedRun, Node, tree_of

SOURCE = "chatgpt"
MAX_PARTS = 1_000
ID_MAX_CHARS = 200


def chat_from_chatgpt(chat: Fields) -> ImportedChat:
    """Raises: InvalidInput naming the place."""
    mapping = chat.inner("mapping")
    if len(mapping.values) > MAX_MESSAGES:
        raise chat.wrong("mapping", f"has more than {MAX_MESSAGES:,} messages")
    nodes = [_node(name, mapping.inner(name)) for name in mapping.values]
    current = chat.text("current_node", max_chars=ID_MAX_CHARS)
    messages, leaf = tree_of(nodes, current, chat.place)
    return ImportedChat(
        source=SOURCE,
        source_id=chat.text("conversation_id", max_chars=ID_MAX_CHARS)
        or chat.text("id", max_chars=ID_MAX_CHARS),
        title=chat.text("title")[:TITLE_MAX_CHARS],
        messages=messages,
        leaf=leaf,
        archived_at=chat.moment("update_time") if chat.values.get("is_archived") is True else None,
        created_at=chat.moment("create_time"),
        updated_at=chat.moment("update_time"),
    )


def _node(name: str, node: Fields) -> Node:
    message = node.inner("message")
    parent = node.text("parent", max_chars=ID_MAX_CHARS) or None
    return Node(name, parent, _message(name, message) if message.values else None)


def _message(name: str, message: Fields) -> ImportedMessage | None:
    """None for what is not kept."""
    metadata = message.inner("metadata")
    role = _role(message)
    is_to_tool = message.values.get("recipient") not in (None, "all")
    if role is None or is_to_tool or metadata.values.get("is_visually_hidden_from_conversation") is True:
        return None
    parts = _parts(message.inner("content"))
    if not parts:
        return None
    model = metadata.text("model_slug", max_chars=ID_MAX_CHARS)
    created_at = message.moment("create_time")
    runs = (ImportedRun({"model": model, "status": "done", "created_at": created_at}),) if model else ()
    return ImportedMessage(name, None, role, parts, created_at, runs if role == "assistant" else ())


def _role(message: Fields) -> Literal["user", "assistant"] | None:
    match message.inner("author").text("role"):
        case "user":
            return "user"
        case "assistant":
            return "assistant"
    return None


def _parts(content: Fields) -> tuple[Part, ...]:
    match content.text("content_type", max_chars=80):
        case "text" | "multimodal_text":
            pieces = [_piece(piece) for piece in content.items("parts", max_items=MAX_PARTS)]
            text = "\n\n".join(piece for piece in pieces if piece)
        case "code":
            code, language = content.text("text"), content.text("language", max_chars=80)
            text = f"```{language if language.isalnum() and language != 'unknown' else ''}\n{code}\n```"
        case "thoughts":
            thoughts = [each.text("content") for each in content.objects("thoughts", max_items=MAX_PARTS)]
            return (ReasoningPart("\n\n".join(thoughts)),) if any(thoughts) else ()
        case _:
            return ()
    return (TextPart(text),) if text.strip() else ()


def _piece(piece: object) -> str:
    """Text as it is; a picture or sound, which the export's JSON does not hold, by its name."""
    if isinstance(piece, str):
        return clean(piece)
    return "*(a file that the export does not hold)*" if piece else ""
