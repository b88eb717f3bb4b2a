"""What the OpenAPI document says of these views."""

from __future__ import annotations

from typing import Any

from chat.api.ndjson.requests import MAX_MESSAGES, MAX_NAME_CHARS, MAX_TOKENS, ROLES
from chat.http.openapi import Operation

TAG = "NDJSON"

ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {"type": {"const": "error"}, "message": {"type": "string"}},
    "required": ["type", "message"],
}
_MESSAGE = {
    "type": "object",
    "properties": {
        "role": {"type": "string", "enum": list(ROLES)},
        "content": {"type": "string"},
    },
    "required": ["role", "content"],
}
_MESSAGES = {"type": "array", "minItems": 1, "maxItems": MAX_MESSAGES, "items": _MESSAGE}
_MODEL = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS}
_COUNT = {"type": "integer", "minimum": 0}
_STOP = {
    "type": "object",
    "properties": {
        "type": {"const": "stop"},
        "message": {
            "type": "object",
            "properties": {"role": {"const": "assistant"}, "content": {"type": "string"}},
            "required": ["role", "content"],
        },
        "stop_reason": {"type": "string", "enum": ["end_turn", "max_tokens"]},
        "usage": {
            "type": "object",
            "properties": {"duration_ms": _COUNT, "input_tokens": _COUNT, "output_tokens": _COUNT},
            "required": ["duration_ms", "input_tokens", "output_tokens"],
        },
    },
    "required": ["type", "message", "stop_reason", "usage"],
}
_REFUSALS = dict.fromkeys((400, 401, 403, 404, 405, 409, 422, 429, 503), ERROR)

GENERATE = Operation(
    method="post",
    summary="Answer a list of messages",
    tag=TAG,
    description=(
        "With `stream` the answer is `application/x-ndjson`: one JSON object a line, each with a `type`. `info` lines "
        "tell of progress, `delta` lines carry the pieces of the answer, and the last line is one `stop` with the "
        "reason and the usage, or one `error`. A client that leaves ends the answer. The same `Idempotency-Key` with "
        "the same body is given the same answer again."
    ),
    body={
        "type": "object",
        "properties": {
            "model": {**_MODEL, "description": "A name of `/v1/models`: a GGUF file's, or `flow:<id>`."},
            "messages": _MESSAGES,
            "stream": {"type": ["boolean", "null"], "default": False},
            "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
            "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "max_tokens": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_TOKENS},
        },
        "required": ["model", "messages"],
        "example": {
            "model": "starter",
            "messages": [{"role": "user", "content": "Hello!"}],
            "stream": True,
        },
    },
    responses={200: _STOP, **_REFUSALS, 413: None},
    streams="application/x-ndjson",
    parameters=(
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "At most 255 characters. The same key with another body is a 409.",
            "schema": {"type": "string", "maxLength": 255},
        },
    ),
)

TRAIN = Operation(
    method="post",
    summary="Train a copy of a model (not yet)",
    tag=TAG,
    description="Answers 501 until training is built.",
    responses=dict.fromkeys((401, 403, 405, 429, 501), ERROR),
)
