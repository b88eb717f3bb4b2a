"""`/v1/generate_response` and `/v1/train`."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase

from chat.api.ndjson.encode import CONTENT_TYPE, Chunk, LineEncoder, error_chunk, whole_answer
from chat.api.ndjson.operations import GENERATE, TRAIN
from chat.api.ndjson.requests import Asked, asked_by
from chat.domain.errors import ChatError, InvalidInput, ModelUnsupported
from chat.http.api import api_status, api_view, json_response
from chat.http.auth import caller_with, key_with
from chat.http.detached import Idempotency, streamed_reply, whole_reply
from chat.http.model_names import resolve
from chat.http.openapi import documented
from chat.http.origins import check_origin, for_pages_of_flows
from chat.http.rate_limits import check_flow_rate
from chat.http.turnstile import leave_place
from chat.models import ApiKey, Right
from chat.runs.direct import direct_request, search_in
from chat.runs.task import Task
from chat.runtime import get_runtime


def error_body(error: ChatError, _status: int) -> Chunk:
    """Every refusal has the shape of the stream's `error` line."""
    return error_chunk(f"{error.message} {error.hint}")


def status_of(error: ChatError) -> int:
    """A wrong field is 422 here, also a model that does not chat; a body that is no JSON object stays 400."""
    is_field = isinstance(error, ModelUnsupported) or (isinstance(error, InvalidInput) and error.field)
    return 422 if is_field else api_status(error)


@documented(GENERATE)
@for_pages_of_flows
@api_view("POST", error_body=error_body, status_of=status_of)
async def generate_response(request: HttpRequest) -> HttpResponseBase:
    """The answer to a list of messages, whole or line by line."""
    key = await sync_to_async(key_with)(request, Right.GENERATE)
    asked = asked_by(request)
    task, idempotency = await sync_to_async(_prepared)(request, key, asked)
    leave_place(request)
    if asked.is_stream:
        return await streamed_reply(task, idempotency, LineEncoder(task.model), CONTENT_TYPE)
    reply = await whole_reply(task, idempotency)
    return json_response(whole_answer(reply, reply.duration_ms))


@documented(TRAIN)
@api_view("POST", error_body=error_body)
async def train(request: HttpRequest) -> HttpResponseBase:
    """Training is not built yet."""
    await sync_to_async(key_with)(request, Right.GENERATE)
    return json_response(error_chunk("This server cannot train models yet."), status=501)


def _prepared(request: HttpRequest, key: ApiKey, asked: Asked) -> tuple[Task, Idempotency]:
    flow, model = resolve(asked.model)
    caller = caller_with(key, flow)
    if flow is not None:
        check_origin(request, flow)
        check_flow_rate(request, flow)
    runtime = get_runtime()
    ask = direct_request(
        asked.messages,
        flow=flow,
        changes=asked.changes,
        scope=caller.actor.scope,
        conf=runtime.conf,
        tools=runtime.tools,
    )
    task = Task(ask, model, is_trimmed=False, search=search_in(flow, asked.messages))
    return task, Idempotency.of(request, caller)
