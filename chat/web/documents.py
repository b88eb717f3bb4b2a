"""Documents come in, are shown and go: files for a chat, the viewer, the original for download."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import BinaryIO

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from chat.domain.errors import ChatError, InvalidInput, NotFound
from chat.http.loaders import collection_for, conversation_for, document_for
from chat.http.rate_limits import check_upload_rate
from chat.http.sight import check_sees
from chat.models import Collection, Conversation
from chat.retrieval.pictures import MAX_PICTURE_BYTES, is_picture
from chat.runs.pictures import add_picture
from chat.runtime import get_runtime
from chat.web.attachments import Attachments, attachments_in, attachments_of, collection_of
from chat.web.excerpts import begin_in, excerpt_of, passage_in
from chat.web.partials import partial
from chat.web.pictures import model_of, remove_picture
from chat.web.requests import PageRequest, is_htmx, parsed_uuid

READ_BYTES = 2**20
# Whatever the file holds, a browser that opens it after all runs nothing in it.
FILE_POLICY = "sandbox; default-src 'none'"
# What else the address of a new chat may say: the assistant that was chosen, and that all chats are listed.
_KEPT = {"flow", "chats"}


@require_POST
def attach_to_new(request: PageRequest) -> HttpResponse:
    """The first documents of a chat whose first message is not sent."""
    draft = Collection.objects.create(**request.actor.ownership)
    try:
        _add(request, draft)
    except ChatError:
        if not draft.documents.exists() and not draft.pictures.exists():
            draft.delete()
        raise
    return _changed(request, draft)


@require_http_methods(["GET", "HEAD", "POST"])
def attachments(request: PageRequest, collection_id: uuid.UUID) -> HttpResponse:
    """The chips of a collection, and more for it: files, or a document of another chat."""
    collection = collection_for(request.actor, collection_id)
    if request.method != "POST":
        return _chips(request, attachments_in(collection))
    _add(request, collection)
    return _changed(request, collection)


@require_http_methods(["GET", "HEAD", "POST"])
def conversation_attachments(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The chips of a conversation, and more for it."""
    conversation = conversation_for(request.actor, conversation_id)
    if request.method != "POST":
        return _chips(request, attachments_of(conversation))
    collection = collection_of(conversation)
    _add(request, collection)
    return _changed(request, collection)


@require_POST
def remove_attachment(request: PageRequest, collection_id: uuid.UUID, document_id: uuid.UUID) -> HttpResponse:
    """Take a document out of a chat."""
    collection = collection_for(request.actor, collection_id)
    remove_document(collection, document_id)
    return _changed(request, collection)


@require_POST
def remove_attached_picture(
    request: PageRequest, collection_id: uuid.UUID, picture_id: uuid.UUID
) -> HttpResponse:
    """Take back a picture that was not sent."""
    collection = collection_for(request.actor, collection_id)
    remove_picture(collection, picture_id)
    return _changed(request, collection)


@require_GET
def document(request: PageRequest, document_id: uuid.UUID) -> HttpResponse:
    """The text of a document, or a stretch of it: from `?from=`, or around the passage `?start=` to `?end=`."""
    shown = document_for(request.actor, document_id)
    excerpt = excerpt_of(shown, passage=passage_in(request.GET), begin=begin_in(request.GET))
    mine = Conversation.objects.kept().visible_to(request.actor)
    context = {
        "document": shown,
        "excerpt": excerpt,
        "conversation": mine.filter(collection__documents=shown).first(),
    }
    return render(request, "documents/document.html", context)


@require_GET
async def download(request: PageRequest, document_id: uuid.UUID) -> HttpResponseBase:
    """The file as it came, to keep and never to show."""
    wanted = await sync_to_async(document_for)(request.actor, document_id)
    await sync_to_async(connections.close_all)()  # else it would be held for as long as the client reads
    path = get_runtime().library.files.path_of(wanted)
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError as exc:
        raise NotFound("The file of this document is gone.", hint="Attach it again.") from exc
    response = StreamingHttpResponse(_parts(file), content_type="application/octet-stream")
    response["Content-Length"] = str(path.stat().st_size)
    response["Content-Disposition"] = content_disposition_header(True, _safe(wanted.filename))
    response["Content-Security-Policy"] = FILE_POLICY
    response["X-Content-Type-Options"] = "nosniff"
    return response


def add_files(request: PageRequest, collection: Collection) -> None:
    """Put the posted files into the collection; they are read in the background.

    Raises: InvalidInput, RateLimited, and what `Library.add` raises; files before the bad one stay.
    """
    check_upload_rate(request, request.actor.scope)
    files = request.FILES.getlist("files")
    if not files:
        raise InvalidInput("No file was chosen.", hint="Choose one or more files.")
    library = get_runtime().library
    for file in files:
        name = file.name or ""
        if is_picture(name) and collection.name is None:
            check_sees(model_of(request, collection))
            add_picture(collection, name, file.read(MAX_PICTURE_BYTES + 1), request.actor)
        else:
            library.add(collection, name, file.chunks(), request.actor)


def remove_document(collection: Collection, document_id: uuid.UUID) -> None:
    """Take a document out of a collection that the caller may change. Raises: Http404."""
    found = get_object_or_404(collection.documents.defer("text"), pk=document_id)
    get_runtime().library.remove(collection, found)


def _add(request: PageRequest, collection: Collection) -> None:
    """The posted files, or with `document` one that the person has in another chat."""
    if document_id := parsed_uuid(request.POST.get("document", "")):
        get_runtime().library.add_again(collection, document_for(request.actor, document_id), request.actor)
    else:
        add_files(request, collection)


def _changed(request: PageRequest, collection: Collection) -> HttpResponse:
    """The new chips for the script, the chat's page for a form."""
    shown = attachments_in(collection)
    home = _address_of(request, collection)
    if not is_htmx(request):
        response = redirect(home)
        response.status_code = 303
        return response
    html = render_to_string("chat/_attachments.html", {"attachments": shown}, request)
    # A reload of a chat that has not begun finds its documents by the address.
    headers = {"HX-Replace-Url": home} if shown.draft_id else {}
    return HttpResponse(partial("#attachments", "outerMorph", html), headers=headers)


def _chips(request: PageRequest, shown: Attachments) -> HttpResponse:
    return render(request, "chat/_attachments.html", {"attachments": shown})


def _address_of(request: PageRequest, collection: Collection) -> str:
    if collection.conversation_id:
        return reverse("conversation", args=[collection.conversation_id])
    _, _, query = request.headers.get("HX-Current-URL", "").partition("?")
    current, new = QueryDict(query), QueryDict(mutable=True)
    for name in _KEPT & current.keys():
        new[name] = current[name]
    new["documents"] = str(collection.pk)
    return f"{reverse('home')}?{new.urlencode()}"


async def _parts(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while part := await asyncio.to_thread(file.read, READ_BYTES):
            yield part


def _safe(filename: str) -> str:
    """For a header: no control characters, no turned-around text, no folders."""
    return "".join(char if char.isprintable() and char not in '/\\"' else "_" for char in filename)
