"""What the OpenAPI document says of these views."""

from __future__ import annotations

from typing import Any

from chat.api.openai import schemas as s
from chat.http.openapi import Operation

TAG = "OpenAI"
STREAM = "text/event-stream"
_HELLO = [{"role": "user", "content": "Hello!"}]


def _head(kind: str) -> dict[str, s.Json]:
    return {
        "id": {"type": "string"},
        "object": {"const": kind},
        "created": s.COUNT,
        "model": {"type": "string"},
    }


def _question(summary: str, description: str, body: s.Json, answer: s.Json, **extra: Any) -> Operation:
    return Operation(
        "post",
        summary,
        TAG,
        responses={200: answer, **s.REFUSALS},
        body=body,
        description=description,
        streams=STREAM,
        needs_key=False,
        parameters=(s.IDEMPOTENCY_KEY,),
        **extra,
    )


_NO_STORE = (
    "Nothing is stored, and a client that leaves ends the answer. Without a key only a flow that needs none can be "
    "asked. Fields that are not listed are ignored."
)

CHAT = _question(
    "Answer a list of messages",
    "With `stream` the answer is server-sent events that end with `data: [DONE]`. " + _NO_STORE,
    s.record(
        "model messages",
        model=s.MODEL,
        messages=s.array(s.MESSAGE, 1),
        stream=s.FLAG,
        stream_options=s.STREAM_OPTIONS,
        n=s.integer(1, 8),
        max_completion_tokens=s.integer(1, 10_000_000),
        max_tokens=s.integer(1, 10_000_000),
        **s.SAMPLING,
        logprobs=s.FLAG,
        top_logprobs=s.integer(0, 20),
        tools=s.WRAPPED_TOOLS,
        tool_choice=s.WRAPPED_CHOICE,
        parallel_tool_calls=s.FLAG,
        response_format=s.RESPONSE_FORMAT,
    )
    | {"example": {"model": "starter", "messages": _HELLO}},
    s.record(
        "id object created model choices usage",
        **_head("chat.completion"),
        choices=s.array(
            s.record(
                "index message logprobs finish_reason",
                index=s.COUNT,
                message=s.record(
                    "role content",
                    role={"const": "assistant"},
                    content={"type": ["string", "null"]},
                    refusal={"type": "null"},
                    reasoning_content={"type": "string"},
                    tool_calls=s.array(s.CALL, 1),
                ),
                logprobs={"type": ["object", "null"]},
                finish_reason=s.FINISH_REASON,
            ),
            1,
            8,
        ),
        usage=s.USAGE,
    ),
)

_PROMPT: s.Json = {**s.TEXT, "minLength": 1}

COMPLETION = _question(
    "Go on after a text",
    "The model goes on after exactly this text; flows cannot be asked so. With `stream` as chat completions. "
    + _NO_STORE,
    s.record(
        "model prompt",
        model=s.MODEL,
        prompt={"anyOf": [_PROMPT, s.array(_PROMPT, 1, 16)]},
        stream=s.FLAG,
        stream_options=s.STREAM_OPTIONS,
        echo=s.FLAG,
        n=s.integer(1, 8),
        max_tokens=s.integer(1, 10_000_000),
        logprobs=s.integer(0, 5),
        **s.SAMPLING,
    )
    | {"example": {"model": "starter", "prompt": "Once upon a time"}},
    s.record(
        "id object created model choices usage",
        **_head("text_completion"),
        choices=s.array(
            s.record(
                "index text logprobs finish_reason",
                index=s.COUNT,
                text={"type": "string"},
                logprobs={"type": ["object", "null"]},
                finish_reason=s.FINISH_REASON,
            ),
            1,
            128,
        ),
        usage=s.USAGE,
    ),
)

RESPONSE = _question(
    "Answer a text or a list of items",
    "The Responses API. With `stream` the answer is typed server-sent events. `previous_response_id`, `conversation` "
    "and `background` are refused, as no response is stored. " + _NO_STORE,
    s.record(
        "model input",
        model=s.MODEL,
        input={"anyOf": [s.TEXT, s.array(s.ITEM, 1)]},
        instructions={**s.TEXT, "type": ["string", "null"]},
        stream=s.FLAG,
        max_output_tokens=s.integer(1, 10_000_000),
        **s.SAMPLING,
        tools=s.FLAT_TOOLS,
        tool_choice=s.FLAT_CHOICE,
        parallel_tool_calls=s.FLAG,
        text=s.TEXT_FORMAT,
        truncation={"enum": ["auto", "disabled", None]},
        top_logprobs=s.integer(0, 20),
        include={"type": ["array", "null"]},
        metadata={"type": ["object", "null"]},
    )
    | {"example": {"model": "starter", "input": "Hello!"}},
    s.record(
        "id object created_at status model output usage error incomplete_details",
        id={"type": "string"},
        object={"const": "response"},
        created_at=s.COUNT,
        status={"type": "string", "enum": ["completed", "incomplete"]},
        model={"type": "string"},
        output=s.array(
            s.record(
                "id type",
                id={"type": "string"},
                type={"type": "string", "enum": ["message", "reasoning", "function_call"]},
            )
        ),
        usage=s.record(
            "input_tokens output_tokens total_tokens",
            input_tokens=s.COUNT,
            output_tokens=s.COUNT,
            total_tokens=s.COUNT,
        ),
        error={"type": "null"},
        incomplete_details={"type": ["object", "null"]},
    ),
)

EMBEDDING = Operation(
    "post",
    "Turn texts into vectors",
    TAG,
    responses={
        200: s.record(
            "object data model usage",
            object={"const": "list"},
            data=s.array(
                s.record(
                    "object index embedding",
                    object={"const": "embedding"},
                    index=s.COUNT,
                    embedding={"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]},
                ),
                1,
            ),
            model={"type": "string"},
            usage=s.record("prompt_tokens total_tokens", prompt_tokens=s.COUNT, total_tokens=s.COUNT),
        ),
        **s.REFUSALS,
    },
    body=s.record(
        "model input",
        model=s.MODEL,
        input={"anyOf": [_PROMPT, s.array(_PROMPT, 1, 2048)]},
        encoding_format={"enum": ["float", "base64", None]},
        dimensions=s.integer(1, 1_000_000),
    )
    | {"example": {"model": "nomic-embed-text", "input": "Hello!"}},
    description="Needs an embedding model in the models folder; without one it is a 404.",
)

_MODEL_ENTRY = s.record(
    "id object created owned_by name description read_only parent_model revision last_modified default_model "
    "temperature top_p",
    id={"type": "string"},
    object={"const": "model"},
    created=s.COUNT,
    owned_by={"type": "string"},
    name={"type": "string"},
    description={"type": "string"},
    read_only={"type": "boolean"},
    parent_model={"type": ["string", "null"]},
    revision=s.COUNT,
    last_modified=s.COUNT,
    default_model={"type": "boolean"},
    temperature={"type": "number"},
    top_p={"type": "number"},
)
_TWOFOLD_ERROR = s.record(
    "type message error",
    type={"const": "error"},
    message={"type": "string"},
    error=s.ERROR["properties"]["error"],
)

MODELS = Operation(
    "get",
    "List the models and flows that can be asked",
    TAG,
    responses={
        200: s.record("object data", object={"const": "list"}, data=s.array(_MODEL_ENTRY)),
        **dict.fromkeys((401, 403, 429), _TWOFOLD_ERROR),
    },
    description="Each entry has the fields that clients of the OpenAI API and of the NDJSON API look for.",
)
NEW_MODEL = Operation(
    "post",
    "Copy a model for training (not yet)",
    TAG,
    responses={
        501: s.record("type message", type={"const": "error"}, message={"type": "string"}),
        **dict.fromkeys((401, 403, 429), _TWOFOLD_ERROR),
    },
    description="Answers 501 until training is built.",
)
ONE_MODEL = Operation(
    "get",
    "Look up a model or flow",
    TAG,
    responses={200: _MODEL_ENTRY, **dict.fromkeys((401, 403, 404, 429), _TWOFOLD_ERROR)},
)
