"""Files sent along with a question: their text is put before it; what has none is refused in words."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from django.core.files.uploadedfile import UploadedFile

from chat.domain.errors import InvalidInput
from chat.http.body import Fields
from chat.retrieval.extract import Extractor
from chat.retrieval.kinds import HEAD_BYTES, check_head, kind_of

MAX_FILES = 20
MAX_NAME_CHARS = 200
TEXT_ONLY = "This API takes text only"
_INLINE_TYPES = ("file", "file:full", "stored-file", "stored-file:full")
_READ_BY_A_CHILD = (".pdf", ".docx")
_NOT_TEXT = ("image/", "audio/", "video/")


@dataclass(frozen=True, slots=True)
class TextFile:
    """The words of a file."""

    name: str
    mime: str
    text: str

    @property
    def as_prompt(self) -> str:
        """As the model sees it, before the question."""
        return f"<doc name='{self.name}'>{self.text}</doc>"


def files_of(uploads: Sequence[Fields], sent: Sequence[UploadedFile[bytes]]) -> tuple[TextFile, ...]:
    """The files of the `uploads` field and of a multipart body. Raises: InvalidInput naming the one at fault."""
    if len(uploads) + len(sent) > MAX_FILES:
        raise InvalidInput(f"At most {MAX_FILES} files can be sent with a question.", field="uploads")
    return tuple([_text_file(upload) for upload in uploads] + [read_file(file) for file in sent])


def read_file(file: UploadedFile[bytes]) -> TextFile:
    """A file of a multipart body. Raises: InvalidInput for one that is not text."""
    name = (file.name or "file")[:MAX_NAME_CHARS]
    mime = file.content_type or ""
    _check_mime(mime, "files", name)
    return TextFile(name, mime, _decoded(file.read(), "files", name))


def _text_file(upload: Fields) -> TextFile:
    kind = upload.text("type")
    name = upload.text("name", "file")[:MAX_NAME_CHARS]
    mime = upload.text("mime", "")
    where = upload.name("data")
    _check_mime(mime, where, name)
    if kind == "audio":
        _refuse(where, f"{TEXT_ONLY}; “{name}” is audio")
    if kind == "url":
        upload.refuse(
            "type", "must not be url: the server fetches nothing; send the text itself as file:full"
        )
    if kind not in _INLINE_TYPES:
        upload.refuse("type", "must be file or file:full")
    if "data" not in upload:
        upload.refuse("data", "is required: send the text of the file")
    data = upload.text("data", max_chars=10_000_000)
    if not data.startswith("data:"):
        if kind.endswith("file"):
            upload.refuse("data", "must be a data URI; for plain text use the type file:full")
        return TextFile(name, mime, data.replace("\x00", ""))
    mime, content = _from_data_uri(data, where)
    _check_mime(mime, where, name)
    return TextFile(name, mime, _decoded(content, where, name))


def _from_data_uri(uri: str, where: str) -> tuple[str, bytes]:
    """Its type and bytes. Source: RFC 2397."""
    head, comma, body = uri.removeprefix("data:").partition(",")
    if not comma:
        _refuse(where, "is no data URI: the comma is missing")
    mime, *options = head.split(";")
    content = unquote_to_bytes(body)
    if "base64" in options:
        try:
            content = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            _refuse(where, "is no data URI: its base64 is broken")
    return mime, content


def _check_mime(mime: str, where: str, name: str) -> None:
    if mime.lower().startswith(_NOT_TEXT):
        _refuse(where, f"{TEXT_ONLY}; “{name}” is {mime[:80]}")


def _decoded(content: bytes, where: str, name: str) -> str:
    if name.lower().endswith(_READ_BY_A_CHILD):
        return _extracted(content, where, name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text:
        _refuse(where, f"{TEXT_ONLY}; “{name}” is not text in UTF-8")
    return text


def _extracted(content: bytes, where: str, name: str) -> str:
    """The text of a PDF or Word file, read as documents of chats are: by a child process with limits."""
    try:
        kind = kind_of(name)
        check_head(name, kind, content[:HEAD_BYTES])
        with TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            return Extractor().extract(file, kind).text
    except InvalidInput as exc:
        raise InvalidInput(f"“{name}”: {exc.message}", hint=exc.hint, field=where) from exc


def _refuse(where: str, what: Any) -> NoReturn:
    words = f"{where} {what}." if what.startswith("is ") else f"{what} ({where})."
    raise InvalidInput(words, field=where)
