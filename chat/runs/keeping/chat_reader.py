"""Finding the conversations in a file that somebody brings, one at a time: JSON, or a .zip that holds it.

Hostile files are expected: what is read is counted as it is unpacked, and one conversation at a time is in memory.
"""

from __future__ import annotations

import codecs
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, NoReturn

from chat.domain.errors import InvalidInput
from chat.runs.keeping.chat_json import FORMAT, VERSION
from chat.runs.keeping.fields import Fields
from chat.runs.keeping.from_chatgpt import chat_from_chatgpt
from chat.runs.keeping.from_open_webui import chat_from_open_webui
from chat.runs.keeping.from_parley import chat_from_parley
from chat.runs.keeping.imported import ImportedChat

MAX_JSON_BYTES = 512 * 2**20
MAX_CHAT_CHARS = 16_000_000
MAX_CHATS = 50_000
MAX_DIRECTORY_BYTES = 2**20
_READ_BYTES = 2**18
_HEAD_CHARS = 10_000

_ZIP_BEGIN = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_MEMBER = re.compile(r"(?:.*/)?conversations(?:-\d+)?\.json")
_OUR_LIST = re.compile(r'"conversations"\s*:\s*\[')
_SPACE = re.compile(r"[ \t\r\n]*")
_HINT = "Choose an export of Parley, of ChatGPT (conversations.json or its .zip) or of Open WebUI."


def values_in(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Each conversation as parsed JSON, with its name for errors. Raises: InvalidInput for a file that is none."""
    file.seek(0)
    is_zip = file.read(4) == _ZIP_BEGIN
    file.seek(0)
    number = 0
    for stream in _members(file) if is_zip else [file]:
        for value in _JsonList(stream):
            number += 1
            if number > MAX_CHATS:
                raise InvalidInput(f"The file holds more than {MAX_CHATS:,} conversations.")
            yield f"Conversation {number}", value


def chat_of(value: Any, place: str) -> ImportedChat:
    """The conversation, by the form that its program gives it. Raises: InvalidInput naming the place."""
    fields = Fields.of(value, place)
    if "mapping" in fields.values:
        return chat_from_chatgpt(fields)
    if "chat" in fields.values:
        return chat_from_open_webui(fields)
    if "messages" in fields.values and "leaf" in fields.values:
        return chat_from_parley(fields)
    raise InvalidInput(f"{place} has a form that is not known here.", hint=_HINT)


def _members(file: IO[bytes]) -> Iterator[IO[bytes]]:
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            names = sorted(name for name in archive.namelist() if _MEMBER.fullmatch(name))
            if not names:
                raise InvalidInput("There is no conversations.json in this .zip.", hint=_HINT)
            for name in names:
                with archive.open(name) as member:
                    yield member
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as exc:
        raise InvalidInput("This .zip is damaged, or locked with a password.") from exc


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a list of files that alone would fill the memory. Raises: InvalidInput."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 2**16 - 22))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_ZIP_END)
    if at < 0 or len(tail) - at < 22:
        raise InvalidInput("This .zip is damaged: its end is missing.")
    (directory_bytes,) = struct.unpack_from("<L", tail, at + 12)
    if directory_bytes > MAX_DIRECTORY_BYTES:
        raise InvalidInput(
            "This .zip holds too many files.", hint="Unpack it and choose its conversations.json."
        )


class _JsonList:
    """The elements of the list that a JSON file is, or of "conversations" in ours, read as they are asked for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(parse_constant=_refuse_constant)
        self._text = ""
        self._num_bytes = 0
        self._has_ended = False

    def __iter__(self) -> Iterator[Any]:
        self._enter()
        self._skip_space()
        while not self._text.startswith("]"):
            yield self._element()
            self._skip_space()
            if self._text.startswith(","):
                self._text = self._text[1:]
                self._skip_space()
            elif not self._text.startswith("]"):
                raise InvalidInput("The file ends in the middle, or is no JSON.", hint="Export it again.")

    def _enter(self) -> None:
        """To the first element. Raises: InvalidInput for another kind of file."""
        while len(self._text) < _HEAD_CHARS and self._read():
            pass
        self._skip_space()
        if self._text.startswith("["):
            self._text = self._text[1:]
            return
        found = _OUR_LIST.search(self._text, 0, _HEAD_CHARS)
        head = self._parsed_head(self._text[: found.start()] + '"":0}') if found else {}
        if not found or head.get("format") != FORMAT:
            raise InvalidInput("This file is no export of conversations.", hint=_HINT)
        if head.get("version") != VERSION:
            raise InvalidInput(f"Only version {VERSION} of Parley's export can be read here.")
        self._text = self._text[found.end() :]

    def _parsed_head(self, text: str) -> dict[str, Any]:
        try:
            head = self._json.decode(text)
        except (ValueError, RecursionError):
            return {}
        return head if isinstance(head, dict) else {}

    def _element(self) -> Any:
        """The next one. Its text is tried again only when it has doubled, so that each character is read few times."""
        while True:
            num_chars = len(self._text)
            try:
                value, end = self._json.raw_decode(self._text)
            except json.JSONDecodeError as exc:
                if num_chars > MAX_CHAT_CHARS:
                    raise InvalidInput(
                        f"A conversation is longer than {MAX_CHAT_CHARS:,} characters, or no JSON."
                    ) from exc
                while len(self._text) < 2 * num_chars + _HEAD_CHARS and self._read():
                    pass
                if len(self._text) == num_chars:
                    raise InvalidInput("The file ends in the middle, or is no JSON.") from exc
            except RecursionError as exc:
                raise InvalidInput("A conversation is nested too deeply.") from exc
            except ValueError as exc:  # a number with thousands of digits
                raise InvalidInput("A conversation holds a number that is no JSON.") from exc
            else:
                self._text = self._text[end:]
                return value

    def _skip_space(self) -> None:
        while True:
            found = _SPACE.match(self._text)
            self._text = self._text[found.end() :] if found else self._text
            if self._text or not self._read():
                return

    def _read(self) -> bool:
        """A little more; False at the end."""
        if self._has_ended:
            return False
        piece = self._stream.read(_READ_BYTES)
        self._num_bytes += len(piece)
        if self._num_bytes > MAX_JSON_BYTES:
            raise InvalidInput(f"The file is longer than {MAX_JSON_BYTES // 2**20} MB unpacked.")
        self._has_ended = not piece
        try:
            self._text += self._decoder.decode(piece, final=self._has_ended)
        except UnicodeDecodeError as exc:
            raise InvalidInput(
                "This file is no export of conversations: it is not UTF-8 text.", hint=_HINT
            ) from exc
        return not self._has_ended


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidInput(f"{name} is no JSON.")
