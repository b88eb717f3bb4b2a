"""What `EngineProcess` or `EmbedderProcess` and its child say to each other: typed msgpack, each after its length."""

from __future__ import annotations

import contextlib
import dataclasses
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from chat.domain.errors import ChatError, error_from_code
from chat.domain.events import TokenLogprob
from chat.domain.messages import (
    ChatMessage,
    ImagePart,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from chat.domain.params import AdapterFile, GenerationRequest, SamplingParams
from chat.engine.config import EngineConfig
from chat.engine.generation import Job, Update
from chat.engine.pieces import CallPiece, EndPiece, GenerationUsage, ReasoningPiece, StatePiece, TextPiece
from chat.engine.prompt_trace import PromptSpan


@dataclass(frozen=True, slots=True)
class LoadModel:
    """To the child, first of all: which model to load."""

    path: Path
    config: EngineConfig


@dataclass(frozen=True, slots=True)
class CancelJob:
    """To the child: end this job."""

    job_id: int


@dataclass(frozen=True, slots=True)
class CountTokens:
    """To the child: how long is this prompt? `Answered` with the same id answers."""

    call_id: int
    request: GenerationRequest


@dataclass(frozen=True, slots=True)
class TracePrompt:
    """To the child: what is this prompt made of? `Answered` with the same id answers."""

    call_id: int
    request: GenerationRequest


@dataclass(frozen=True, slots=True)
class LoadEmbedder:
    """To the child, first of all: which embedding model to load."""

    path: Path
    config: EngineConfig


@dataclass(frozen=True, slots=True)
class EmbedTexts:
    """To the child: the vectors of these texts. `Embedded` answers."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """To the parent: jobs are welcome; each slot holds so many tokens."""

    context_tokens: int


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """To the parent: the model cannot be used; the child ends."""

    error: ChatError


@dataclass(frozen=True, slots=True)
class Stepped:
    """To the parent: all that one step did."""

    updates: tuple[Update, ...]
    num_running: int
    num_queued: int


@dataclass(frozen=True, slots=True)
class Answered:
    """To the parent: the answer to `CountTokens` or `TracePrompt`."""

    call_id: int
    result: int | tuple[PromptSpan, ...] | ChatError


@dataclass(frozen=True, slots=True)
class EmbedderLoaded:
    """To the parent: texts are welcome; their vectors have so many numbers."""

    dim: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """To the parent: the answer to `EmbedTexts`, little-endian float32 rows one after the other."""

    result: bytes | ChatError


Command = LoadModel | Job | CancelJob | CountTokens | TracePrompt | LoadEmbedder | EmbedTexts
Report = Loaded | LoadFailed | Stepped | Answered | EmbedderLoaded | Embedded
Message = Command | Report

# The place in this list is the code on the wire; both halves are of the same version.
_CLASSES: tuple[type[Any], ...] = (
    *(LoadModel, Job, CancelJob, CountTokens, Loaded, LoadFailed, Stepped, Answered, Update, EngineConfig),
    *(TracePrompt, PromptSpan),
    *(LoadEmbedder, EmbedTexts, EmbedderLoaded, Embedded),
    *(
        GenerationRequest,
        SamplingParams,
        ChatMessage,
        TextPart,
        ImagePart,
        ReasoningPart,
        ToolCall,
        ToolResult,
        ToolSpec,
    ),
    *(StatePiece, TextPiece, TokenLogprob, ReasoningPiece, CallPiece, EndPiece, GenerationUsage),
    AdapterFile,
)
_CODE_OF = {cls: code for code, cls in enumerate(_CLASSES)}
_FIELDS_OF = {cls: tuple(field.name for field in dataclasses.fields(cls)) for cls in _CLASSES}
_ERROR, _PATH, _BIG_INT = 100, 101, 102
_LENGTH = struct.Struct("!I")


def pack(message: Any) -> bytes:
    """Bytes of a message, or of any value that occurs in one. Raises: TypeError, ValueError."""
    packed = msgpack.packb(message, default=_to_extension, unicode_errors="surrogatepass")
    assert isinstance(packed, bytes), "packb without a stream gives bytes"
    return packed


def unpack(packed: bytes) -> Any:
    """The message that `pack` was given; lists come back as tuples."""
    return msgpack.unpackb(
        packed, ext_hook=_from_extension, use_list=False, strict_map_key=False, unicode_errors="surrogatepass"
    )


def _to_extension(value: Any) -> Any:
    if (code := _CODE_OF.get(type(value))) is not None:
        return msgpack.ExtType(code, pack([getattr(value, name) for name in _FIELDS_OF[type(value)]]))
    match value:
        case ChatError():
            return msgpack.ExtType(_ERROR, pack([value.code, value.message, value.hint]))
        case Path():
            return msgpack.ExtType(_PATH, str(value).encode("utf-8", "surrogateescape"))
        case int():  # more than 64 bits
            return msgpack.ExtType(_BIG_INT, str(value).encode())
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} has no form on the wire.")


def _from_extension(code: int, packed: bytes) -> Any:
    if code == _ERROR:
        return error_from_code(*unpack(packed))
    if code == _PATH:
        return Path(packed.decode("utf-8", "surrogateescape"))
    if code == _BIG_INT:
        return int(packed)
    return _CLASSES[code](*unpack(packed))


class Channel:
    """Messages over a stream socket. Any thread may send; one thread receives."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Raises: OSError when the other side is gone, TypeError or ValueError for what cannot be packed."""
        self.send_packed(pack(message))

    def send_packed(self, packed: bytes) -> None:
        """Send what `pack` made. Raises: OSError."""
        with self._lock:
            self._stream.sendall(_LENGTH.pack(len(packed)) + packed)

    def receive(self, timeout_s: float | None = None) -> Any:
        """The next message, None when the other side is gone. Raises: TimeoutError."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        header = self._read(_LENGTH.size, deadline)
        packed = header and self._read(_LENGTH.unpack(header)[0], deadline)
        return unpack(packed) if packed else None

    def close(self) -> None:
        """Both sides then receive None."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()

    def _read(self, num_bytes: int, deadline: float | None) -> bytes:
        """Exactly `num_bytes`, or none at the end of the stream."""
        parts = bytearray()
        while len(parts) < num_bytes:
            self._wait(deadline)
            try:
                part = self._stream.recv(num_bytes - len(parts))
            except OSError:
                return b""
            if not part:
                return b""
            parts += part
        return bytes(parts)

    def _wait(self, deadline: float | None) -> None:
        if deadline is None:
            return
        # poll, because select cannot watch a descriptor above 1023.
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
