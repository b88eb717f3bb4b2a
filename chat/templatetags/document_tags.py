"""Documents in words."""

from __future__ import annotations

from pathlib import PurePath

from django import template

from chat.models import Document, DocumentStatus

register = template.Library()

_EXTENSION_MAX_CHARS = 5


@register.filter
def state(document: Document) -> str:
    """How far a document is read."""
    match document.status:
        case DocumentStatus.QUEUED:
            return "Waiting"
        case DocumentStatus.READING:
            return "Reading"
        case DocumentStatus.INDEXING:
            return f"Indexing {document.num_indexed:,} of {document.num_chunks:,}"
        case DocumentStatus.READY:
            return "Ready"
        case _:
            return document.error_message or "Could not be read"


@register.filter
def kind(document: Document) -> str:
    """PDF, DOCX, MD and so on; "File" without an extension."""
    extension = PurePath(document.filename).suffix[1:]
    return extension.upper() if 0 < len(extension) <= _EXTENSION_MAX_CHARS else "File"


@register.filter
def search_kind(document: Document) -> str:
    """How a ready document is searched."""
    return "words and meaning" if document.embedder else "words only"
