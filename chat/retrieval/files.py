"""The documents' files: under names of our own making, in one folder that nothing is served from."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chat.domain.errors import InvalidInput, Overloaded
from chat.models import Document
from chat.retrieval.kinds import HEAD_BYTES

MIN_FREE_BYTES = 200 * 2**20
FREE_CHECK_BYTES = 8 * 2**20
# An upload without its row may be one that is still arriving, also in another process.
STRAY_AGE_S = 3600.0

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store. `id` becomes its document's; `head` is how it begins, for `kind_of`."""

    id: uuid.UUID
    sha256: str
    num_bytes: int
    head: bytes


class FileStore:
    """Keeps files by random ids. Any thread and process may call."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def save(self, content: Iterable[bytes]) -> StoredFile:
        """Write a file to the disk as it arrives. Whatever ends this early leaves nothing behind.

        Raises: InvalidInput when it is larger than allowed, Overloaded when the disk is full.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file_id = uuid.uuid4()
        descriptor = os.open(self._path(file_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                stored = self._write(file_id, file, content)
            _sync_folder(self._folder)
        except OSError as exc:
            self.delete(file_id)
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _disk_full() from exc
            raise
        except BaseException:
            self.delete(file_id)
            raise
        return stored

    def path_of(self, document: Document) -> Path:
        """Where a document's file lies."""
        return self._path(document.pk)

    def delete(self, file_id: uuid.UUID) -> None:
        """Does nothing when it is gone."""
        self._path(file_id).unlink(missing_ok=True)

    def replace_missing(self, stored: StoredFile, file_id: uuid.UUID) -> None:
        """Keep a stored file only where the one with this id, which has the same bytes, was lost."""
        if self._path(file_id).exists():
            self.delete(stored.id)
        else:
            self._path(stored.id).replace(self._path(file_id))

    @contextlib.contextmanager
    def claim(self, file_id: uuid.UUID) -> Iterator[BinaryIO | None]:
        """The file, for this caller alone among all processes; None when another has it.

        The claim ends with the process that has it, however that ends. Raises: FileNotFoundError.
        """
        with self._path(file_id).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield file

    def strays(self) -> list[uuid.UUID]:
        """Files old enough that each must have its document."""
        if not self._folder.exists():
            return []
        newest = time.time() - STRAY_AGE_S
        with os.scandir(self._folder) as entries:
            names = [
                entry.name for entry in entries if _ID.fullmatch(entry.name) and _written_at(entry) < newest
            ]
        return [uuid.UUID(name) for name in names]

    def _path(self, file_id: uuid.UUID) -> Path:
        return self._folder / file_id.hex

    def _write(self, file_id: uuid.UUID, file: BinaryIO, content: Iterable[bytes]) -> StoredFile:
        digest, num_bytes, head = hashlib.sha256(), 0, b""
        next_check = 0
        for piece in content:
            if num_bytes >= next_check:
                self._check_free()
                next_check = num_bytes + FREE_CHECK_BYTES
            num_bytes += len(piece)
            if num_bytes > self._max_bytes:
                raise InvalidInput(
                    f"The file is larger than {self._max_bytes // 2**20} MB.", hint="Split it into parts."
                )
            digest.update(piece)
            head += piece[: HEAD_BYTES - len(head)]
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        return StoredFile(file_id, digest.hexdigest(), num_bytes, head)

    def _check_free(self) -> None:
        if shutil.disk_usage(self._folder).free < MIN_FREE_BYTES:
            raise _disk_full()


def _written_at(entry: os.DirEntry[str]) -> float:
    """When it was last written to; one that has just gone is as new as can be."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_full() -> Overloaded:
    return Overloaded("The server's disk is full.", hint="Tell whoever runs this server.", retry_after_s=300)
