"""GET /v1/models and /v1/models/<id>: what can be asked, for two kinds of client at once.

The same path serves clients of OpenAI and those of the NDJSON API: each entry and each error has the fields of both.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase

from chat.api.openai.errors import error_body as openai_error_body
from chat.api.openai.operations import MODELS, NEW_MODEL, ONE_MODEL
from chat.domain.errors import ChatError, ModelError, ModelNotFound
from chat.domain.params import SamplingParams
from chat.engine.registry import ModelFile
from chat.http.api import api_view, json_response
from chat.http.auth import key_with
from chat.http.model_names import FLOW_PREFIX, name_of_flow, resolve
from chat.http.openapi import documented
from chat.models import ApiKey, Flow, Right
from chat.runtime import get_runtime

OWNER = "parley"
NO_TRAINING = "Training is not available in this version: models cannot be copied yet."


def error_body(error: ChatError, status: int) -> dict[str, Any]:
    """In both shapes."""
    return {
        **openai_error_body(error, status),
        "type": "error",
        "message": f"{error.message} {error.hint}".strip(),
    }


@documented(MODELS, NEW_MODEL)
@api_view("GET", "POST", error_body=error_body)
async def models(request: HttpRequest) -> HttpResponseBase:
    """All that the key may ask; POST would make a copy to be trained."""
    key = await sync_to_async(key_with)(request, Right.GENERATE)
    if request.method == "POST":
        return json_response({"type": "error", "message": NO_TRAINING}, status=501)
    return json_response({"object": "list", "data": await sync_to_async(_entries)(key)})


@documented(ONE_MODEL)
@api_view("GET", error_body=error_body)
async def model(request: HttpRequest, name: str) -> HttpResponseBase:
    """One of them."""
    key = await sync_to_async(key_with)(request, Right.GENERATE)
    return json_response(await sync_to_async(_entry)(key, name))


def _entries(key: ApiKey) -> list[dict[str, Any]]:
    """The models first, those that make vectors too, then the flows."""
    default = _default_name()
    files = _files() if key.covers(None) else []
    flows = [flow for flow in Flow.objects.all() if key.covers(flow)]
    return [*(_file_entry(file, default) for file in files), *map(_flow_entry, flows)]


def _entry(key: ApiKey, name: str) -> dict[str, Any]:
    """Raises: ModelNotFound, also for what the key does not cover."""
    if name.startswith(FLOW_PREFIX):
        flow, _ = resolve(name)
        if flow and key.covers(flow):
            return _flow_entry(flow)
    elif key.covers(None):
        for file in _files():
            if file.name == name:
                return _file_entry(file, _default_name())
    raise ModelNotFound(f"There is no model “{name}”.", hint="Choose one of the list of models.")


def _files() -> list[ModelFile]:
    registry = get_runtime().registry
    return [*registry.files(), *registry.embedders()]


def _default_name() -> str:
    try:
        return get_runtime().registry.default().name
    except ModelError:
        return ""


def _file_entry(file: ModelFile, default: str) -> dict[str, Any]:
    metadata = file.metadata
    title = metadata.name or file.plain.name
    description = (
        f"{title}: {metadata.architecture}, {metadata.quantization}, {metadata.context_tokens:,} tokens"
    )
    if file.adapter:
        description += f", with the adapter {file.adapter.path.stem}"
    modified = max(state.modified_ns for state in file.states) // 10**9
    return _common(file.name, file.name, description, modified, get_runtime().conf.params) | {
        "created": modified,
        "default_model": file.name == default,
        "parent_model": file.base.name if file.base else None,
    }


def _flow_entry(flow: Flow) -> dict[str, Any]:
    runtime = get_runtime()
    modified = int(flow.updated_at.timestamp())
    description = f"The flow {flow.name}"
    return _common(
        name_of_flow(flow), flow.name, description, modified, flow.sampling(runtime.conf.params)
    ) | {
        "created": int(flow.created_at.timestamp()),
        "default_model": False,
    }


def _common(name: str, title: str, description: str, modified: int, params: SamplingParams) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "owned_by": OWNER,
        "name": title,
        "description": description,
        "read_only": True,
        "parent_model": None,
        "revision": 0,
        "last_modified": modified,
        "temperature": params.temperature,
        "top_p": params.top_p,
    }
