"""Files that are made while they are sent: exports of conversations."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from chat.http.loaders import conversation_for
from chat.runs.keeping.chat_files import all_of, file_stem, markdown_zip
from chat.runs.keeping.chat_json import json_of
from chat.runs.keeping.chat_markdown import markdown_of
from chat.web.requests import PageRequest

# Each hop to the thread that reads the database costs more than a short message.
_SEND_BYTES = 2**16


@require_GET
async def export_json(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponseBase:
    """One conversation with all its branches."""
    found = await sync_to_async(conversation_for)(request.actor, conversation_id)
    return _file(_encoded(json_of([found])), f"{file_stem(found)}.json", "application/json")


@require_GET
async def export_markdown(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponseBase:
    """The shown branch of one conversation."""
    found = await sync_to_async(conversation_for)(request.actor, conversation_id)
    return _file(_encoded(markdown_of(found)), f"{file_stem(found)}.md", "text/markdown; charset=utf-8")


@require_GET
async def export_all_json(request: PageRequest) -> HttpResponseBase:
    """Everything that a person has said here."""
    pieces = _encoded(json_of(all_of(request.actor)))
    return _file(pieces, f"parley-{_today()}.json", "application/json")


@require_GET
async def export_all_markdown(request: PageRequest) -> HttpResponseBase:
    """A .zip with a file for each conversation."""
    return _file(markdown_zip(all_of(request.actor)), f"parley-{_today()}.zip", "application/zip")


def _today() -> str:
    return f"{timezone.now():%Y-%m-%d}"


def _encoded(pieces: Iterator[str]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece.encode(errors="replace")


def _file(pieces: Iterator[bytes], name: str, content_type: str) -> HttpResponseBase:
    response = StreamingHttpResponse(_sent(pieces), content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name)
    return response


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes:
    """Some 64 KB; nothing at the end."""
    taken, num_bytes = [], 0
    for piece in pieces:
        taken.append(piece)
        num_bytes += len(piece)
        if num_bytes >= _SEND_BYTES:
            break
    return b"".join(taken)
