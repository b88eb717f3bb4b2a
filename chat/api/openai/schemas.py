"""The pieces that the OpenAPI document of these views is made of: JSON schemas of fields and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat.api.openai.messages import MAX_ID_CHARS, MAX_MESSAGES
from chat.api.openai.target import MAX_NAME_CHARS
from chat.api.openai.tools import MAX_DESCRIPTION_CHARS, MAX_TOOLS, NAME_PATTERN
from chat.domain.params import (
    FLOAT_BOUNDS,
    INT_BOUNDS,
    MAX_LOGIT_BIAS,
    MAX_LOGIT_BIASES,
    MAX_STOP_CHARS,
    MAX_STOP_STRINGS,
)

Json = dict[str, Any]

COUNT: Json = {"type": "integer", "minimum": 0}
TEXT: Json = {"type": "string"}  # as long as the body may be
FLAG: Json = {"type": ["boolean", "null"]}


def number(low: float, high: float) -> Json:
    """A number that may be left out."""
    return {"type": ["number", "null"], "minimum": low, "maximum": high}


def integer(low: int, high: int) -> Json:
    """A whole number that may be left out."""
    return {"type": ["integer", "null"], "minimum": low, "maximum": high}


def record(required: str = "", **properties: Json) -> Json:
    """An object; `required` are names with spaces between."""
    described: Json = {"type": "object", "properties": properties}
    return {**described, "required": required.split()} if required else described


def array(items: Json, low: int = 0, high: int = MAX_MESSAGES) -> Json:
    """A list."""
    return {"type": "array", "items": items, "minItems": low, "maxItems": high}


def nullable(schema: Json) -> Json:
    """The same, or nothing."""
    return {"anyOf": [schema, {"type": "null"}]}


def parts(*kinds: str) -> Json:
    """A text, or a list of parts of these kinds."""
    part = record("type text", type={"type": "string", "enum": list(kinds)}, text=TEXT)
    return {"anyOf": [TEXT, array(part)]}


def shown(text_kinds: Sequence[str], picture: Json) -> Json:
    """What a person may send: the same with pictures among the parts."""
    part = record("type text", type={"type": "string", "enum": list(text_kinds)}, text=TEXT)
    return {"anyOf": [TEXT, array({"anyOf": [part, picture]})]}


ERROR = record(
    "error",
    error=record(
        "message type param code",
        message={"type": "string"},
        type={"type": "string"},
        param={"type": ["string", "null"]},
        code={"type": ["string", "null"]},
    ),
)
REFUSALS: dict[int, Json] = dict.fromkeys((400, 401, 403, 404, 409, 413, 429, 503), ERROR)
IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "At most 255 characters. The same key with the same body is given the same answer; with another "
    "body it is a 409.",
    "schema": {"type": "string", "maxLength": 255},
}

MODEL: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_NAME_CHARS,
    "description": "A name of `/v1/models`: a GGUF file's, or `flow:<id>`.",
}
_STOP: Json = {"type": "string", "minLength": 1, "maxLength": MAX_STOP_CHARS}
_BIASES: Json = {
    "type": "object",
    "propertyNames": {"pattern": "^[0-9]{1,9}$"},
    "additionalProperties": number(-MAX_LOGIT_BIAS, MAX_LOGIT_BIAS),
    "maxProperties": MAX_LOGIT_BIASES,
}
SAMPLING: dict[str, Json] = {
    **{name: number(low, high) for name, low, high in FLOAT_BOUNDS},
    **{name: integer(low, high) for name, low, high in INT_BOUNDS},
    "logit_bias": nullable(_BIASES),
    "deterministic": FLAG
    | {"description": "With `seed`: the same answer each time, whatever else the server does. Slower."},
    "seed": integer(0, 2**63 - 1),
    "stop": {"anyOf": [_STOP, array(_STOP, 0, MAX_STOP_STRINGS), {"type": "null"}]},
}
STREAM_OPTIONS = nullable(record(include_usage=FLAG))

_ID: Json = {"type": "string", "maxLength": MAX_ID_CHARS}
_FUNCTION: dict[str, Json] = {
    "name": {"type": "string", "pattern": NAME_PATTERN},
    "description": {"type": ["string", "null"], "maxLength": MAX_DESCRIPTION_CHARS},
    "parameters": {"type": ["object", "null"]},
}
FUNCTION = record("name", **_FUNCTION)
_TYPE_FUNCTION: Json = {"type": "string", "const": "function"}
WRAPPED_TOOLS = nullable(array(record("type function", type=_TYPE_FUNCTION, function=FUNCTION), 0, MAX_TOOLS))
FLAT_TOOLS = nullable(array(record("type name", type=_TYPE_FUNCTION, **_FUNCTION), 0, MAX_TOOLS))
_MODES: Json = {"type": "string", "enum": ["auto", "none", "required"]}
_NAMED = record("name", name={"type": "string"})
WRAPPED_CHOICE = nullable({"anyOf": [_MODES, record("type function", type=_TYPE_FUNCTION, function=_NAMED)]})
FLAT_CHOICE = nullable({"anyOf": [_MODES, record("type name", type=_TYPE_FUNCTION, name={"type": "string"})]})

_DATA_URL: Json = {
    "type": "string",
    "pattern": "^data:",
    "description": "A picture, for a model that sees: data:image/png;base64,... No address is fetched.",
}
CALL = record(
    "id type function",
    id=_ID,
    type=_TYPE_FUNCTION,
    function=record("name arguments", name=_ID, arguments=TEXT),
)
MESSAGE: Json = {
    "anyOf": [
        record(
            "role content",
            role={"type": "string", "enum": ["system", "developer"]},
            content=parts("text"),
        ),
        record(
            "role content",
            role={"type": "string", "const": "user"},
            content=shown(
                ["text"],
                record(
                    "type image_url",
                    type={"type": "string", "const": "image_url"},
                    image_url={"anyOf": [_DATA_URL, record("url", url=_DATA_URL)]},
                ),
            ),
        ),
        record(
            "role content",
            role={"type": "string", "const": "assistant"},
            content=parts("text"),
            reasoning_content={**TEXT, "type": ["string", "null"]},
            tool_calls=nullable(array(CALL, 0, 128)),
        ),
        record(
            "role content tool_call_id",
            role={"type": "string", "const": "tool"},
            content=parts("text"),
            tool_call_id=_ID,
        ),
    ]
}
_SCHEMA: dict[str, Json] = {
    "name": {"type": ["string", "null"]},
    "schema": {"type": "object"},
    "strict": FLAG,
}
_PLAIN_FORMAT = record("type", type={"type": "string", "enum": ["text", "json_object"]})
_TYPE_SCHEMA: Json = {"type": "string", "const": "json_schema"}
RESPONSE_FORMAT = nullable(
    {
        "anyOf": [
            _PLAIN_FORMAT,
            record("type json_schema", type=_TYPE_SCHEMA, json_schema=record("schema", **_SCHEMA)),
        ]
    }
)
TEXT_FORMAT = nullable(
    record(format=nullable({"anyOf": [_PLAIN_FORMAT, record("type schema", type=_TYPE_SCHEMA, **_SCHEMA)]}))
)
ITEM: Json = {
    "anyOf": [
        record(
            "role content",
            type={"type": ["string", "null"], "const": "message"},
            role={"type": "string", "enum": ["assistant", "system", "developer"]},
            content=parts("input_text", "output_text", "text"),
        ),
        record(
            "role content",
            type={"type": ["string", "null"], "const": "message"},
            role={"type": "string", "const": "user"},
            content=shown(
                ["input_text", "output_text", "text"],
                record(
                    "type image_url", type={"type": "string", "const": "input_image"}, image_url=_DATA_URL
                ),
            ),
        ),
        record(
            "type call_id name arguments",
            type={"type": "string", "const": "function_call"},
            call_id=_ID,
            name={**_ID, "minLength": 1},
            arguments=TEXT,
        ),
        record(
            "type call_id output",
            type={"type": "string", "const": "function_call_output"},
            call_id=_ID,
            output=parts("input_text"),
        ),
        record("type", type={"type": "string", "const": "reasoning"}),
    ]
}

USAGE = record(
    "prompt_tokens completion_tokens total_tokens prompt_tokens_details",
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    total_tokens=COUNT,
    prompt_tokens_details=record("cached_tokens", cached_tokens=COUNT),
)
FINISH_REASON: Json = {"type": "string", "enum": ["stop", "length", "tool_calls"]}
