"""What people think of answers."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase

from chat.api.prediction import operations
from chat.api.prediction.access import flow_view, reader
from chat.api.prediction.chats import chat_id_of, uuid_of
from chat.api.prediction.errors import error_body
from chat.api.prediction.stored import THUMBS, feedback_row
from chat.domain.errors import InvalidInput, NotFound
from chat.http.api import api_view, json_response
from chat.http.auth import caller_for
from chat.http.body import Fields, json_object
from chat.http.openapi import documented
from chat.models import Conversation, Feedback, Flow, Message

MAX_CHARS = 10_000
_RATING = {thumb: rating for rating, thumb in THUMBS.items()}


@documented(operations.LIST_FEEDBACK, operations.GIVE_FEEDBACK, operations.CHANGE_FEEDBACK)
@api_view("GET", "POST", "PUT", "OPTIONS", error_body=error_body)
async def feedback(request: HttpRequest, feedback_or_flow_id: str) -> HttpResponseBase:
    """POST and GET name a flow in the path, PUT the feedback itself."""
    if request.method == "PUT" or (request.method == "OPTIONS" and await _flow_id_of(feedback_or_flow_id)):
        return await _one(request, feedback_or_flow_id)
    return await _of_flow(request, flow_id=feedback_or_flow_id)


@flow_view("GET", "POST")
async def _of_flow(request: HttpRequest, flow: Flow) -> HttpResponseBase:
    if request.method == "POST":
        return json_response(await sync_to_async(_create)(request, flow))
    return json_response(await sync_to_async(_list)(request, flow))


@flow_view("PUT")
async def _change(request: HttpRequest, flow: Flow, feedback_id: str) -> HttpResponseBase:
    return json_response(await sync_to_async(_update)(request, flow, feedback_id))


async def _one(request: HttpRequest, feedback_id: str) -> HttpResponseBase:
    flow_id = await _flow_id_of(feedback_id)
    if flow_id is None:
        raise _unknown(feedback_id)
    return await _change(request, flow_id=flow_id, feedback_id=feedback_id)


async def _flow_id_of(feedback_id: str) -> str | None:
    rows = Feedback.objects.filter(pk=uuid_of(feedback_id))
    found = await rows.values_list("message__conversation__flow", flat=True).afirst()
    return str(found) if found else None


def _list(request: HttpRequest, flow: Flow) -> list[dict[str, Any]]:
    chat_id = request.GET.get("chatId", "")
    chats = Conversation.objects.kept().visible_to(reader(request, flow, chat_id).actor).filter(flow=flow)
    if chat_id:
        chats = chats.filter(chat_id=chat_id)
    rows = Feedback.objects.select_related("message__conversation").filter(message__conversation__in=chats)
    return [feedback_row(row, flow.pk) for row in rows.order_by("created_at", "pk")]


def _create(request: HttpRequest, flow: Flow) -> dict[str, Any]:
    fields = Fields(json_object(request))
    chat_id, message_id = fields.text("chatId"), fields.text("messageId")
    rating, content = fields.choice("rating", tuple(_RATING)), _content(fields)
    message = _message(request, flow, chat_id, message_id)
    if chat_id_of(message.conversation) != chat_id:
        raise InvalidInput("messageId names a message of another chat.", field="messageId")
    made = Feedback.objects.create(message=message, rating=_RATING[rating], content=content)
    return feedback_row(made, flow.pk)


def _update(request: HttpRequest, flow: Flow, feedback_id: str) -> dict[str, Any]:
    """Without a key the random id itself says that the asker is who made it."""
    fields = Fields(json_object(request))
    rows = Feedback.objects.select_related("message__conversation").filter(pk=uuid_of(feedback_id))
    owner = caller_for(request, flow, "").actor.user
    mine = (
        {"message__conversation__owner": owner} if owner else {"message__conversation__owner__isnull": True}
    )
    row = rows.filter(**mine).first()
    if row is None:
        raise _unknown(feedback_id)
    if "rating" in fields:
        row.rating = _RATING[fields.choice("rating", tuple(_RATING))]
    if "content" in fields:
        row.content = _content(fields)
    row.save(update_fields=["rating", "content"])
    return feedback_row(row, flow.pk)


def _message(request: HttpRequest, flow: Flow, chat_id: str, message_id: str) -> Message:
    """An answer of the asker's. Raises: NotFound, Unauthorized, NotAllowed, RateLimited."""
    chats = Conversation.objects.kept().visible_to(caller_for(request, flow, chat_id).actor).filter(flow=flow)
    answers = Message.objects.select_related("conversation").filter(role=Message.Role.ASSISTANT)
    message = answers.filter(conversation__in=chats, key=uuid_of(message_id)).first()
    if message is None:
        raise NotFound(f"Message {message_id[:100]} not found in the database!")
    return message


def _content(fields: Fields) -> str:
    return fields.text("content", "", max_chars=MAX_CHARS).replace("\x00", "")


def _unknown(feedback_id: str) -> NotFound:
    return NotFound(f"Feedback {feedback_id[:100]} not found in the database!")
