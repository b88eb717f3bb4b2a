"""JSON schemas of what this API takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT = {"type": "string"}
MAYBE_TEXT = {"type": ["string", "null"]}
WHOLE = {"type": "integer"}
YES_NO = {"type": "boolean"}
UUID = {"type": "string", "format": "uuid"}
ANY_OBJECT = {"type": "object"}


def record(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An object that may hold more."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


def array(items: Schema) -> dict[str, Any]:
    """A list of such items."""
    return {"type": "array", "items": items}


ERROR = record({"statusCode": WHOLE, "success": {"const": False}, "message": TEXT, "stack": ANY_OBJECT})

_NUMBER_OR_TEXT = {"type": ["number", "string", "object", "null"]}
OVERRIDE = {
    "type": ["object", "null"],
    "description": "What this request changes of the flow. Other names are left alone.",
    "properties": {
        "sessionId": {"type": ["string", "null"], "maxLength": 200},
        "vars": {"type": ["object", "null"], "description": "For {{$vars.name}} in the system prompt."},
        "temperature": _NUMBER_OR_TEXT,
        "topP": _NUMBER_OR_TEXT,
        "topK": _NUMBER_OR_TEXT,
        "maxTokens": _NUMBER_OR_TEXT,
        "frequencyPenalty": _NUMBER_OR_TEXT,
        "presencePenalty": _NUMBER_OR_TEXT,
        "seed": _NUMBER_OR_TEXT,
        "stop": {"type": ["string", "array", "null"], "items": TEXT},
        "systemMessage": {"type": ["string", "object", "null"]},
    },
}
HISTORY_ITEM = {
    "type": "object",
    "properties": {
        "message": MAYBE_TEXT,
        "type": {"enum": ["apiMessage", "userMessage", None]},
        "role": {"enum": ["apiMessage", "userMessage", "assistant", "user", None]},
        "content": MAYBE_TEXT,
    },
}
UPLOAD = record(
    {"type": {"enum": ["file", "file:full"]}},
    {
        "name": TEXT,
        "mime": MAYBE_TEXT,
        "data": {"type": "string", "description": "A data URI of text; for file:full also the text itself."},
    },
)
QUESTION = {
    "type": "object",
    "properties": {
        "question": MAYBE_TEXT,
        "streaming": {"description": 'true or "true"; anything else is no.'},
        "chatId": {"type": ["string", "null"], "maxLength": 200},
        "leadEmail": {"type": ["string", "null"], "maxLength": 200},
        "overrideConfig": OVERRIDE,
        "history": {"type": ["array", "null"], "items": HISTORY_ITEM},
        "uploads": {"type": ["array", "null"], "items": UPLOAD},
        "form": {"type": ["object", "null"], "description": "Instead of question: put to the model as text."},
    },
    "example": {"question": "Hello!"},
}
QUESTION_FORM = {
    "type": "object",
    "properties": {
        "question": TEXT,
        "streaming": TEXT,
        "chatId": TEXT,
        "overrideConfig": {"type": "string", "description": "JSON"},
        "history": {"type": "string", "description": "JSON"},
        "files": array({"type": "string", "format": "binary"}),
    },
}
USED_TOOL = record({"tool": TEXT, "toolInput": ANY_OBJECT, "toolOutput": TEXT}, {"error": TEXT})
SOURCE_DOCUMENT = record({"pageContent": TEXT, "metadata": ANY_OBJECT}, {"id": TEXT})
USAGE = record({"input_tokens": WHOLE, "output_tokens": WHOLE, "total_tokens": WHOLE})
REPLY = record(
    {
        "text": TEXT,
        "question": TEXT,
        "chatId": TEXT,
        "chatMessageId": UUID,
        "sessionId": TEXT,
        "isStreamValid": YES_NO,
        "runId": UUID,
    },
    {
        "usage": USAGE,
        "usedTools": array(USED_TOOL),
        "sourceDocuments": array(SOURCE_DOCUMENT),
        "reasonContent": ANY_OBJECT,
        "form": ANY_OBJECT,
    },
)
RATING = {"enum": ["THUMBS_UP", "THUMBS_DOWN"]}
FEEDBACK = record(
    {
        "id": UUID,
        "chatflowid": UUID,
        "chatId": TEXT,
        "messageId": UUID,
        "rating": RATING,
        "content": TEXT,
        "createdDate": TEXT,
    }
)
NEW_FEEDBACK = record(
    {"chatId": TEXT, "messageId": TEXT, "rating": RATING}, {"content": {"type": ["string", "null"]}}
)
CHANGED_FEEDBACK = {
    "type": "object",
    "properties": {"rating": {"enum": ["THUMBS_UP", "THUMBS_DOWN", None]}, "content": MAYBE_TEXT},
}
MESSAGE = record(
    {
        "id": UUID,
        "role": {"enum": ["apiMessage", "userMessage"]},
        "content": TEXT,
        "chatflowid": UUID,
        "chatType": {"enum": ["EXTERNAL", "INTERNAL"]},
        "chatId": TEXT,
        "sessionId": TEXT,
        "createdDate": TEXT,
        "usedTools": array(USED_TOOL),
    },
    {"feedback": FEEDBACK},
)
FLOW = record({"id": UUID, "name": TEXT, "flowData": TEXT, "type": {"const": "CHATFLOW"}, "isPublic": YES_NO})
UPLOADS = record(
    {"isSpeechToTextEnabled": YES_NO, "isImageUploadAllowed": YES_NO, "isRAGFileUploadAllowed": YES_NO}
)
CHATBOT_CONFIG = record({"starterPrompts": ANY_OBJECT, "uploads": UPLOADS, "flowData": TEXT})
ATTACHMENT = record({"name": TEXT, "mimeType": TEXT, "size": WHOLE, "content": TEXT})
