"""Asking a flow: whole replies, streams, and taking up a stream that broke."""

from __future__ import annotations

from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_vary_headers

from chat.api.prediction import operations
from chat.api.prediction.access import counted_flow_view, flow_view
from chat.api.prediction.chats import Turn, begin_turn, turn_for
from chat.api.prediction.encode import PredictionEncoder
from chat.api.prediction.framing import Framing, framing_of
from chat.api.prediction.payload import whole_reply
from chat.domain.errors import error_from_code
from chat.domain.events import RunFailed
from chat.http.api import followed, json_response
from chat.http.first_word import wait_for_first_word
from chat.http.openapi import documented
from chat.http.streaming import cursor_of, stream_run
from chat.http.turnstile import leave_place
from chat.models import Flow
from chat.runtime import get_runtime

# A failure before the first word is a status; but a stream begins after this long even when nothing was said.
MAX_PEEK_S = 3.0


@documented(operations.PREDICTION)
@counted_flow_view("POST")
async def prediction(request: HttpRequest, flow: Flow, framing: str) -> HttpResponseBase:
    """Ask; the answer goes on being written when the client leaves, because it is stored."""
    chosen = framing_of(request, framing)
    asked, turn = await sync_to_async(begin_turn)(request, flow)
    leave_place(request)
    if asked.is_streaming:
        has_begun = await wait_for_first_word(get_runtime().log, turn.run_id, MAX_PEEK_S)
        preface = "" if has_begun else chosen.ping  # headers must not wait for a model to be loaded
        response: HttpResponseBase = await _stream(turn, chosen, after=0, preface=preface)
    else:
        response = await _whole(turn)
    response["X-Chat-Id"] = _header_safe(turn.chat_id)
    response["X-Run-Id"] = turn.message_id
    return response


@documented(operations.RESUME)
@flow_view("GET")
async def resume(request: HttpRequest, flow: Flow, run_id: str, framing: str) -> HttpResponseBase:
    """What a stream that broke would have told after `?after=` or Last-Event-ID. Reading starts nothing."""
    chosen = framing_of(request, framing)
    turn = await sync_to_async(turn_for)(request, flow, run_id)
    return await _stream(turn, chosen, cursor_of(request))


async def _whole(turn: Turn) -> HttpResponseBase:
    reply = await followed(get_runtime().log, turn.run_id)
    if isinstance(reply.terminal, RunFailed):
        raise error_from_code(reply.terminal.code, reply.terminal.message, reply.terminal.hint)
    return json_response(whole_reply(turn, reply))


async def _stream(turn: Turn, framing: Framing, after: int, preface: str = "") -> StreamingHttpResponse:
    response = await stream_run(
        get_runtime().log,
        turn.run_id,
        PredictionEncoder(turn, framing, after),
        after=0,  # the encoder counts blocks, not events
        content_type=framing.content_type,
        is_event_by_event=True,
    )
    texts = response.streaming_content
    assert isinstance(texts, AsyncIterator)
    response.streaming_content = _one_by_one(texts, framing.end.encode(), preface.encode())
    response["Cache-Control"] = "no-cache"
    response["Connection"] = "keep-alive"
    response["X-Stream-Format"] = framing.name
    patch_vary_headers(response, ["Accept", "X-Stream-Format"])
    return response


async def _one_by_one(texts: AsyncIterator[bytes], end: bytes, preface: bytes) -> AsyncIterator[bytes]:
    """Each block in a write of its own: some clients take what arrives together for one event."""
    if preface:
        yield preface
    async for text in texts:
        *blocks, rest = text.split(end)
        for block in blocks:
            yield block + end
        if rest:
            yield rest


def _header_safe(text: str) -> str:
    """A client's own name may hold any letters; a header only takes Latin ones."""
    return text if text.isascii() else ""
