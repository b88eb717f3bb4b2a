"""The messages of a chat completion as our own."""

from __future__ import annotations

from collections.abc import Sequence

from chat.api.openai.tools import arguments_of
from chat.domain.errors import InvalidInput
from chat.domain.messages import ChatMessage, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from chat.http.body import Fields

MAX_MESSAGES = 10_000
MAX_ID_CHARS = 200

_ROLES = ("system", "developer", "user", "assistant", "tool")


def chat_messages(fields: Fields) -> list[ChatMessage]:
    """What `messages` holds. Raises: InvalidInput naming the field."""
    names: dict[str, str] = {}  # of the functions that were called, by the call's id
    return [_message(item, names) for item in fields.objects("messages", min_items=1, max_items=MAX_MESSAGES)]


def text_in(fields: Fields, name: str, kinds: Sequence[str], default: str | None = None) -> str:
    """A string, or a list of text parts of these kinds. Raises: InvalidInput, also for images, sound and files."""
    if not isinstance(fields.raw(name), list):
        return fields.text(name, default)
    texts = []
    for part in fields.objects(name):
        kind = part.text("type")
        if kind not in kinds:
            raise InvalidInput(
                f"{part.name('type')} “{kind[:40]}” is not supported: this server takes text alone.",
                field=part.name("type"),
            )
        texts.append(part.text("refusal" if kind == "refusal" else "text"))
    return "".join(texts)


def _message(fields: Fields, names: dict[str, str]) -> ChatMessage:
    match fields.choice("role", _ROLES):
        case "system" | "developer":
            return ChatMessage.of("system", text_in(fields, "content", ["text"]))
        case "assistant":
            return ChatMessage("assistant", _assistant_parts(fields, names))
        case "tool":
            return ChatMessage("tool", (_result(fields, names),))
    return ChatMessage.of("user", text_in(fields, "content", ["text"]))


def _assistant_parts(fields: Fields, names: dict[str, str]) -> tuple[Part, ...]:
    parts: list[Part] = []
    if reasoning := fields.text("reasoning_content", ""):
        parts.append(ReasoningPart(reasoning))
    calls = [_call(call, names) for call in fields.objects("tool_calls", max_items=128)]
    if text := text_in(fields, "content", ["text", "refusal"], "" if calls or reasoning else None):
        parts.append(TextPart(text))
    return (*parts, *calls)


def _call(fields: Fields, names: dict[str, str]) -> ToolCall:
    fields.choice("type", ["function"], "function")
    function = fields.object("function")
    if function is None:
        fields.refuse("function", "is required")
    name = function.text("name", min_chars=1, max_chars=MAX_ID_CHARS)
    call = ToolCall(fields.text("id", max_chars=MAX_ID_CHARS), name, arguments_of(function, "arguments"))
    names[call.id] = call.name
    return call


def _result(fields: Fields, names: dict[str, str]) -> ToolResult:
    call_id = fields.text("tool_call_id", max_chars=MAX_ID_CHARS)
    if call_id not in names:
        fields.refuse("tool_call_id", "must be the id of a tool call of an earlier message")
    return ToolResult(call_id, names[call_id], text_in(fields, "content", ["text"]))
