"""Stored chats for programs: read, delete, and stop the answer that is being written."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase

from chat.api.prediction import operations
from chat.api.prediction.access import flow_view, reader
from chat.api.prediction.chats import chat_for
from chat.api.prediction.stored import Filters, rows_of
from chat.domain.errors import InvalidInput
from chat.http.api import json_response
from chat.http.auth import caller_for
from chat.http.openapi import documented
from chat.models import Conversation, Flow, Message
from chat.models.run import LIVE
from chat.runtime import get_runtime

# Those choose messages; a chat can only be deleted as a whole.
_NOT_FOR_DELETE = ("messageId", "startDate", "endDate", "feedbackType", "page", "limit")


@documented(operations.MESSAGES, operations.DELETE_MESSAGES)
@flow_view("GET", "DELETE")
async def chat_messages(request: HttpRequest, flow: Flow) -> HttpResponseBase:
    """GET: the messages of the asker's chats. DELETE: those chats are put aside, as the page does it."""
    if request.method == "DELETE":
        return json_response(await sync_to_async(_delete)(request, flow))
    return json_response(await sync_to_async(_list)(request, flow))


@documented(operations.ABORT)
@flow_view("PUT")
async def abort(request: HttpRequest, flow: Flow, chat_id: str) -> HttpResponseBase:
    """Stop the answer that is being written in a chat; the text so far stays. Says yes whatever there was to stop."""
    await sync_to_async(_abort)(request, flow, chat_id)
    return json_response({"status": 200, "message": "Chat message aborted"})


def _list(request: HttpRequest, flow: Flow) -> list[dict[str, object]]:
    filters = Filters(request.GET)
    caller = reader(request, flow, filters.chat_id)
    return rows_of(filters.messages(caller.actor, flow), flow)


def _delete(request: HttpRequest, flow: Flow) -> dict[str, object]:
    filters = Filters(request.GET)
    caller = reader(request, flow, filters.chat_id)
    for name in _NOT_FOR_DELETE:
        if request.GET.get(name):
            raise InvalidInput(f"Chats are deleted as a whole: {name} cannot be used here.", field=name)
    chats = list(filters.chats(caller.actor, flow))
    num_messages = Message.objects.filter(conversation__in=chats).count()
    for chat in chats:
        get_runtime().runs.delete(chat)
    if request.GET.get("hardDelete") == "true":
        ids = [chat.pk for chat in chats]
        Conversation.objects.filter(pk__in=ids).exclude(runs__status__in=LIVE).delete()
    return {"raw": [], "affected": num_messages}


def _abort(request: HttpRequest, flow: Flow, chat_id: str) -> None:
    caller = caller_for(request, flow, chat_id)
    chat = chat_for(caller.actor, flow, chat_id)
    for run in chat.runs.filter(status__in=LIVE) if chat else ():
        get_runtime().runs.cancel(run)
