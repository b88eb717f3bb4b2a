"""POST /v1/embeddings: texts as vectors, by an embedding model of the models folder."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase

from chat.api.openai.errors import error_body
from chat.api.openai.operations import EMBEDDING
from chat.api.openai.target import MAX_NAME_CHARS
from chat.domain.errors import InvalidInput
from chat.engine.embedder import Embedder, Vectors
from chat.http.api import api_view, json_response
from chat.http.auth import require_key
from chat.http.body import Fields, json_object
from chat.http.openapi import documented
from chat.models import Right
from chat.runtime import get_runtime

MAX_TEXTS = 2048


@dataclass(frozen=True, slots=True)
class _Asked:
    """`dimensions` None is the model's own number."""

    model: str
    texts: list[str]
    is_base64: bool
    dimensions: int | None


@documented(EMBEDDING)
@api_view("POST", error_body=partial(error_body, prompt_field="input"))
async def embeddings(request: HttpRequest) -> HttpResponseBase:
    """A vector of unit length for each text."""
    await sync_to_async(require_key)(request, Right.GENERATE)
    asked = _asked_by(request)
    # On a thread without a place at the turnstile: the model may take seconds.
    vectors = await asyncio.to_thread(_vectors, asked)
    data = [
        {"object": "embedding", "index": number, "embedding": _encoded(vector, asked)}
        for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 0, "total_tokens": 0}  # the embedder does not count
    return json_response({"object": "list", "data": data, "model": asked.model, "usage": usage})


def _asked_by(request: HttpRequest) -> _Asked:
    fields = Fields(json_object(request))
    return _Asked(
        fields.text("model", min_chars=1, max_chars=MAX_NAME_CHARS),
        _texts(fields),
        fields.choice("encoding_format", ["float", "base64"], "float") == "base64",
        fields.integer("dimensions", 1, 1_000_000),
    )


def _texts(fields: Fields) -> list[str]:
    value = fields.raw("input")
    texts = value if isinstance(value, list) else [fields.text("input")]
    if not 1 <= len(texts) <= MAX_TEXTS:
        fields.refuse("input", f"must have 1 to {MAX_TEXTS:,} items")
    for text in texts:
        if not isinstance(text, str) or not text:
            fields.refuse("input", "must be a text, or a list of texts; token numbers are not taken")
    return texts


def _vectors(asked: _Asked) -> Vectors:
    """Raises: ModelNotFound, ContextOverflow, InvalidInput."""
    embedder: Embedder = get_runtime().registry.embedder(asked.model)
    if asked.dimensions not in (None, embedder.dim):
        raise InvalidInput(f"dimensions must be {embedder.dim} for this model.", field="dimensions")
    try:
        return embedder.embed(asked.texts)
    except InvalidInput as exc:
        raise InvalidInput(exc.message, hint=exc.hint, field="input") from exc


def _encoded(vector: Vectors, asked: _Asked) -> Any:
    if asked.is_base64:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()
