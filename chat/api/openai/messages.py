"""The messages of a chat completion as our own."""

from __future__ import annotations

from collections.abc import Sequence

from chat.api.openai.tools import arguments_of
from chat.domain.errors import InvalidInput
from chat.domain.messages import (
    ChatMessage,
    ImagePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
)
from chat.http.body import Fields
from chat.retrieval.pictures import check_count, picture_in_data_url

MAX_MESSAGES = 10_000
MAX_ID_CHARS = 200
MAX_URL_CHARS = 30_000_000  # the body has a bound of its own

_ROLES = ("system", "developer", "user", "assistant", "tool")


def chat_messages(fields: Fields) -> list[ChatMessage]:
    """What `messages` holds. Raises: InvalidInput naming the field."""
    names: dict[str, str] = {}  # of the functions that were called, by the call's id
    return [_message(item, names) for item in fields.objects("messages", min_items=1, max_items=MAX_MESSAGES)]


def user_parts(fields: Fields, kinds: Sequence[str], image_kinds: Sequence[str]) -> tuple[Part, ...]:
    """What a person says and shows: a string, or parts of these kinds. Raises: InvalidInput naming the field."""
    if not isinstance(fields.raw("content"), list):
        return (TextPart(fields.text("content")),)
    parts = fields.objects("content")
    shown = [part for part in parts if part.raw("type") in image_kinds]
    check_count(shown, fields.name("content"))
    return tuple(_image(part) if part in shown else TextPart(text_of_part(part, kinds)) for part in parts)


def text_in(fields: Fields, name: str, kinds: Sequence[str], default: str | None = None) -> str:
    """A string, or a list of text parts of these kinds. Raises: InvalidInput, also for any other part."""
    if not isinstance(fields.raw(name), list):
        return fields.text(name, default)
    return "".join(text_of_part(part, kinds) for part in fields.objects(name))


def text_of_part(part: Fields, kinds: Sequence[str]) -> str:
    """Raises: InvalidInput, also for what is no text."""
    kind = part.text("type")
    if kind not in kinds:
        raise InvalidInput(
            f"{part.name('type')} “{kind[:40]}” is not supported here: only text is.",
            field=part.name("type"),
        )
    return part.text("refusal" if kind == "refusal" else "text")


def _image(part: Fields) -> ImagePart:
    """`image_url` is an object in one of OpenAI's two APIs, and the address itself in the other."""
    holder = part.object("image_url") if isinstance(part.raw("image_url"), dict) else None
    field = holder.name("url") if holder else part.name("image_url")
    url = (holder or part).text("url" if holder else "image_url", max_chars=MAX_URL_CHARS)
    return picture_in_data_url(url, "picture", field)


def _message(fields: Fields, names: dict[str, str]) -> ChatMessage:
    match fields.choice("role", _ROLES):
        case "system" | "developer":
            return ChatMessage.of("system", text_in(fields, "content", ["text"]))
        case "assistant":
            return ChatMessage("assistant", _assistant_parts(fields, names))
        case "tool":
            return ChatMessage("tool", (_result(fields, names),))
    return ChatMessage("user", user_parts(fields, ["text"], ["image_url"]))


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
