"""Files sent ahead of a question: their text comes back, to be sent along with it."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase

from chat.api.prediction import operations
from chat.api.prediction.access import counted_flow_view
from chat.api.prediction.body import FILE_FIELD, form_of
from chat.api.prediction.parse import checked_id
from chat.api.prediction.uploads import MAX_FILES, read_file
from chat.domain.errors import InvalidInput
from chat.http.api import json_response
from chat.http.auth import caller_for
from chat.http.openapi import documented
from chat.models import Flow


@documented(operations.ATTACHMENTS)
@counted_flow_view("POST")
async def attachments(request: HttpRequest, flow: Flow, chat_id: str) -> HttpResponseBase:
    """The words of each file. Nothing is kept: the client sends them with its question, as uploads of file:full."""
    return json_response(await sync_to_async(_read)(request, flow, chat_id))


def _read(request: HttpRequest, flow: Flow, chat_id: str) -> list[dict[str, str | int | None]]:
    caller_for(request, flow, checked_id(chat_id, "chatId"))
    _fields, files = form_of(request)
    if not 0 < len(files) <= MAX_FILES:
        raise InvalidInput(f"Send 1 to {MAX_FILES} files in the field {FILE_FIELD}.", field=FILE_FIELD)
    found = []
    for file in files:
        size = file.size
        text = read_file(file)
        found.append({"name": text.name, "mimeType": text.mime, "size": size, "content": text.text})
    return found
