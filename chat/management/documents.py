"""Documents for the command line: files and folders into a named collection, with a bar while each is read."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.core.management.base import OutputWrapper

from chat.domain.errors import ChatError, InvalidInput
from chat.models import Collection, Document, DocumentStatus
from chat.models.documents import COLLECTION_NAME_MAX_CHARS
from chat.retrieval.ingest import Library
from chat.retrieval.kinds import kind_of

READ_BYTES = 2**20
BAR_CHARS = 24
SHOWN_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Reads files into a collection, one after the other, and tells about each in a line."""

    library: Library
    collection: Collection
    out: OutputWrapper

    def take(self, paths: Iterable[Path]) -> int:
        """Each file, and each in a folder that Parley can read. Returns how many failed."""
        return sum(not self._take(path) for named in paths for path in files_of(named))

    def _take(self, path: Path) -> bool:
        try:
            document = self.library.add(self.collection, path.name, _content(path), actor=None)
        except (ChatError, OSError) as exc:
            self._tell(path, _reason(exc))
            return False
        document = self._followed(path, document)
        if document.status == DocumentStatus.READY:
            self._tell(path, f"{document.num_chunks} passage{'' if document.num_chunks == 1 else 's'}")
            return True
        self._tell(path, document.error_message or "removed meanwhile")
        return False

    def _followed(self, path: Path, document: Document) -> Document:
        """The document when its reading has ended; it may be another process that reads it."""
        while document.is_pending:
            self._show(path, document)
            self.library.wait([self.collection.pk], SHOWN_EVERY_S, lambda: False)
            found = Document.objects.defer("text").filter(pk=document.pk).first()
            if found is None:
                return Document(status=DocumentStatus.FAILED)
            document = found
        return document

    def _show(self, path: Path, document: Document) -> None:
        if not self.out.isatty():
            return
        share = document.num_indexed / document.num_chunks if document.num_chunks else 0.0
        bar = ("#" * round(share * BAR_CHARS)).ljust(BAR_CHARS, ".")
        line = f"[{bar}] {document.get_status_display().lower()} {path}"
        self.out.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", ending="")
        self.out.flush()

    def _tell(self, path: Path, what: str) -> None:
        self.out.write(("\r\x1b[K" if self.out.isatty() else "") + f"{path}: {what}\n")
        self.out.flush()


def named_collection(name: str) -> Collection:
    """The server's collection of this name, made when there is none. Raises: InvalidInput."""
    name = " ".join(name.split())
    if not name or len(name) > COLLECTION_NAME_MAX_CHARS:
        raise InvalidInput(f"The name of a collection has 1 to {COLLECTION_NAME_MAX_CHARS} characters.")
    collection, _ = Collection.objects.get_or_create(name=name)
    return collection


def files_of(path: Path) -> Iterator[Path]:
    """The file itself, whatever it is; of a folder all that Parley can read, without what is hidden."""
    if not path.is_dir():
        yield path
        return
    for found in sorted(path.rglob("*")):
        is_hidden = any(part.startswith(".") for part in found.relative_to(path).parts)
        if not is_hidden and found.is_file() and _is_readable(found.name):
            yield found


def _is_readable(filename: str) -> bool:
    try:
        kind_of(filename)
    except InvalidInput:
        return False
    return True


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            yield piece


def _reason(error: ChatError | OSError) -> str:
    if isinstance(error, ChatError):
        return f"{error.message} {error.hint}".strip()
    return error.strerror or str(error)
