"""Collections in tests, and files put into them and read to the end."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection

from chat.models import Actor, Collection, Document, User
from chat.retrieval.ingest import Library
from tests.conftest import wait_until


def draft_of(owner: User) -> Collection:
    """A collection of a conversation that did not begin yet."""
    return Collection.objects.create(owner=owner)


def add(library: Library, collection: Collection, name: str, content: bytes | str) -> Document:
    """As the collection's owner, or as the operator; returns while it is being read."""
    actor = Actor(user=collection.owner) if collection.owner else None
    return library.add(collection, name, [content.encode() if isinstance(content, str) else content], actor)


def read(library: Library, collection: Collection, name: str, content: bytes | str) -> Document:
    """Added, and ready or failed."""
    document = add(library, collection, name, content)
    return until_read(library, document)


def until_read(library: Library, document: Document) -> Document:
    def is_read() -> bool:
        document.refresh_from_db()
        return not document.is_pending

    wait_until(is_read, timeout_s=60.0)
    return document


def stored_files() -> list[Path]:
    """Everything in the folder of files."""
    return list((Path(settings.PARLEY_DATA_DIR) / "files").glob("*"))


def num_word_rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM chat_chunk_words")
        return int(cursor.fetchone()[0])
