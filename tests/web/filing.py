"""Documents in tests: rows as the library leaves them, who keeps them, and files on their way in."""

from __future__ import annotations

import uuid

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from chat.models import Chunk, Collection, Conversation, Document, DocumentStatus, Placement, User
from tests.web.chatting import HTMX


def chat_of(owner: User) -> Conversation:
    return Conversation.objects.create(owner=owner, title="Chat", updated_at=timezone.now())


def deleted_chat_of(owner: User) -> Conversation:
    return Conversation.objects.create(owner=owner, updated_at=timezone.now(), deleted_at=timezone.now())


def collection_with(*documents: Document, **owner: object) -> Collection:
    """A collection: `owner=` and perhaps `conversation=`, or `name=` for one of the server's."""
    collection = Collection.objects.create(**owner)
    for document in documents:
        Placement.objects.create(collection=collection, document=document)
    return collection


def document_of(text: str = "Some words.", filename: str = "notes.txt", **fields: object) -> Document:
    """A document that is ready, unless `fields` say otherwise."""
    defaults = {
        "sha256": uuid.uuid4().hex * 2,
        "media_type": "text/plain",
        "num_bytes": len(text.encode()),
        "status": DocumentStatus.READY,
    }
    return Document.objects.create(filename=filename, text=text, **{**defaults, **fields})


def paged_document(*pages: str) -> Document:
    """A PDF with a chunk for each page."""
    document = document_of("\n".join(pages), "report.pdf", num_pages=len(pages))
    start = 0
    for number, text in enumerate(pages, start=1):
        Chunk.objects.create(
            document=document, position=number, text=text, start=start, end=start + len(text), page=number
        )
        start += len(text) + 1
    return document


def file(name: str = "notes.txt", content: bytes = b"The shop opens at nine.") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def attach(browser: Client, address: str = "/attachments/", *files: SimpleUploadedFile) -> HttpResponse:
    """As the page's script posts them."""
    return browser.post(address, {"files": list(files) or [file()]}, headers=HTMX)
