"""What the OpenAPI document says of this API's endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chat.api.prediction import schemas
from chat.api.prediction.schemas import Schema, array, record
from chat.http.openapi import Operation

TAG = "Prediction"
_LIMITED = "A flow may allow an address only so many requests; 429 says in plain text when to come back."


def _query(name: str, description: str, schema: Schema | None = None) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema or {"type": "string"}}


def _header(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "header", "description": description, "schema": schema}


_AFTER = _query("after", "The last id that was received.", {"type": "integer", "minimum": 0})
_FORMAT = _query(
    "format",
    "How the stream is written; else X-Stream-Format, Accept and the path decide.",
    {"type": "string", "enum": ["flowise", "named", "text", "ndjson"]},
)
_CHAT = _query("chatId", "Only this chat; without a key it is required.")
_FILTERS = (
    _CHAT,
    _query("sessionId", "Only this session."),
    _query("chatType", "Only these.", {"type": "string", "enum": ["EXTERNAL", "INTERNAL"]}),
)
_PAGE = (
    _query("page", "From 1.", {"type": "integer", "minimum": 1, "maximum": 10_000}),
    _query("limit", "Rows on a page.", {"type": "integer", "minimum": 1, "maximum": 10_000}),
)


def _of_flow(method: str, summary: str, answer: Schema | None, **more: Any) -> Operation:
    """An endpoint of a flow: all of them share these errors."""
    errors = dict.fromkeys((400, 401, 403, 404, 405), schemas.ERROR)
    responses: Mapping[int, Schema | None] = {200: answer, **errors, 429: None}
    return Operation(method, summary, TAG, responses, **more)


def _asking(operation: Operation) -> Operation:
    extra = dict.fromkeys((409, 413, 500, 503), schemas.ERROR)
    return replace(operation, responses={**operation.responses, **extra})


PREDICTION = _asking(
    _of_flow(
        "POST",
        "Ask a flow",
        schemas.REPLY,
        description="The chat is stored: the same chatId goes on with it, and a stream that broke can be taken up. "
        + _LIMITED,
        body=schemas.QUESTION,
        multipart=schemas.QUESTION_FORM,
        streams="text/event-stream",
        needs_key=False,
        parameters=(
            _FORMAT,
            _header(
                "Idempotency-Key",
                "The same again finds the first answer.",
                {"type": "string", "maxLength": 255},
            ),
        ),
    )
)
RESUME = _of_flow(
    "GET",
    "Take up a stream",
    None,
    description="Every block of a stream has an id; the answer begins after the one that is named.",
    streams="text/event-stream",
    needs_key=False,
    parameters=(_FORMAT, _AFTER, _header("Last-Event-ID", "As `after`.", {"type": "string"})),
)
STREAMING = _of_flow(
    "GET", "Whether a flow streams", record({"isStreaming": schemas.YES_NO}), needs_key=False
)
CHATBOT_CONFIG = _of_flow("GET", "How a chat window looks", schemas.CHATBOT_CONFIG, needs_key=False)
UPLOADS = _of_flow("GET", "Which files may be sent", schemas.UPLOADS, needs_key=False)
FLOW = _of_flow("GET", "A flow", schemas.FLOW)
FLOWS = Operation(
    "GET",
    "The flows that the key covers",
    TAG,
    {
        200: {"anyOf": [array(schemas.FLOW), record({"data": array(schemas.FLOW), "total": schemas.WHOLE})]},
        **dict.fromkeys((400, 401, 403, 405), schemas.ERROR),
        429: None,
    },
    parameters=(_query("type", "CHATFLOW, or another for none."), *_PAGE),
)
MESSAGES = _of_flow(
    "GET",
    "Stored messages",
    array(schemas.MESSAGE),
    needs_key=False,
    parameters=(
        *_FILTERS,
        _query("messageId", "Only this message."),
        _query("order", "By date.", {"type": "string", "enum": ["ASC", "DESC"]}),
        _query("startDate", "Not before.", {"type": "string", "format": "date-time"}),
        _query("endDate", "Not after.", {"type": "string", "format": "date-time"}),
        _query("feedbackType", "Only with such a rating.", schemas.RATING),
        *_PAGE,
    ),
)
DELETE_MESSAGES = _of_flow(
    "DELETE",
    "Delete chats",
    record({"raw": {"type": "array"}, "affected": schemas.WHOLE}),
    needs_key=False,
    parameters=(*_FILTERS, _query("hardDelete", "true: for good, at once.", {"enum": ["true", "false"]})),
)
ABORT = _of_flow(
    "PUT",
    "Stop the answer that is being written",
    record({"status": schemas.WHOLE, "message": schemas.TEXT}),
    needs_key=False,
)
LIST_FEEDBACK = _of_flow("GET", "Ratings", array(schemas.FEEDBACK), parameters=(_CHAT,), needs_key=False)
GIVE_FEEDBACK = _of_flow(
    "POST", "Rate an answer", schemas.FEEDBACK, body=schemas.NEW_FEEDBACK, needs_key=False
)
CHANGE_FEEDBACK = _of_flow(
    "PUT", "Change a rating", schemas.FEEDBACK, body=schemas.CHANGED_FEEDBACK, needs_key=False
)
ATTACHMENTS = _asking(
    _of_flow(
        "POST",
        "The words of files",
        array(schemas.ATTACHMENT),
        multipart=record({"files": {**array({"type": "string", "format": "binary"}), "minItems": 1}}),
        needs_key=False,
    )
)
PING = Operation("GET", "Sign of life", TAG, {200: None, 405: schemas.ERROR}, needs_key=False)
VERSION = Operation(
    "GET", "Version", TAG, {200: record({"version": schemas.TEXT}), 405: schemas.ERROR}, needs_key=False
)
