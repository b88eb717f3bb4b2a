"""The input of a response: a text, or items in the order in which they came about."""

from __future__ import annotations

from chat.api.openai.messages import MAX_ID_CHARS, MAX_MESSAGES, text_in, user_parts
from chat.api.openai.tools import arguments_of
from chat.domain.messages import ChatMessage, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from chat.http.body import Fields

_ROLES = ("user", "assistant", "system", "developer")
_TEXT_KINDS = ("input_text", "output_text", "text", "refusal")
_ITEMS = ("message", "function_call", "function_call_output", "reasoning")


def input_messages(fields: Fields) -> list[ChatMessage]:
    """The instructions and the input. Raises: InvalidInput naming the field."""
    instructions = fields.text("instructions", "")
    messages = [ChatMessage.of("system", instructions)] if instructions else []
    if not isinstance(fields.raw("input"), list):
        return [*messages, ChatMessage.of("user", fields.text("input"))]
    names: dict[str, str] = {}  # of the functions that were called, by the call's id
    for item in fields.objects("input", min_items=1, max_items=MAX_MESSAGES):
        _add(messages, _message(item, names))
    return messages


def _add(messages: list[ChatMessage], new: ChatMessage) -> None:
    """Thoughts, words and calls that follow one another are one turn of the assistant."""
    last = messages[-1] if messages else None
    if last is None or last.role != "assistant" or new.role != "assistant" or _are_two_texts(last, new):
        messages.append(new)
    else:
        messages[-1] = ChatMessage("assistant", last.parts + new.parts)


def _are_two_texts(last: ChatMessage, new: ChatMessage) -> bool:
    return any(isinstance(part, TextPart) for part in last.parts) and isinstance(new.parts[0], TextPart)


def _message(fields: Fields, names: dict[str, str]) -> ChatMessage:
    match fields.choice("type", _ITEMS, "message"):
        case "function_call":
            return ChatMessage("assistant", (_call(fields, names),))
        case "function_call_output":
            return ChatMessage("tool", (_result(fields, names),))
        case "reasoning":
            return ChatMessage("assistant", (_thoughts(fields),))
    role = fields.choice("role", _ROLES)
    if role == "user":
        return ChatMessage("user", user_parts(fields, _TEXT_KINDS, ["input_image"]))
    text = text_in(fields, "content", _TEXT_KINDS)
    return ChatMessage.of("assistant" if role == "assistant" else "system", text)


def _call(fields: Fields, names: dict[str, str]) -> Part:
    call_id = fields.text("call_id", max_chars=MAX_ID_CHARS)
    names[call_id] = fields.text("name", min_chars=1, max_chars=MAX_ID_CHARS)
    return ToolCall(call_id, names[call_id], arguments_of(fields, "arguments"))


def _result(fields: Fields, names: dict[str, str]) -> Part:
    call_id = fields.text("call_id", max_chars=MAX_ID_CHARS)
    if call_id not in names:
        fields.refuse("call_id", "must be the call_id of an earlier function_call: nothing is stored here")
    return ToolResult(call_id, names[call_id], text_in(fields, "output", _TEXT_KINDS))


def _thoughts(fields: Fields) -> Part:
    return ReasoningPart("".join(part.text("text") for part in fields.objects("content")))
