"""From a file to its text and passages, in a child process that is confined and ended in time."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from typing import Any, BinaryIO

from chat.domain.errors import Interrupted, InvalidInput
from chat.retrieval.chunker import Span
from chat.retrieval.confined import start_confined
from chat.retrieval.kinds import Kind
from chat.retrieval.sandbox import Limits

logger = logging.getLogger(__name__)

_CHILD = "chat.retrieval.extract_child"
_TOO_SLOW = "Reading this file takes too long."


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text, cut into passages. `num_pages` is None for kinds of files without pages."""

    text: str
    num_pages: int | None
    spans: tuple[Span, ...]


class Extractor:
    """Reads one file at a time, each in a child of its own."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def extract(self, file: BinaryIO, kind: Kind) -> Extracted:
        """Blocks until the file is read.

        Raises: InvalidInput with a sentence for the person, Interrupted when closed meanwhile.
        """
        with tempfile.TemporaryFile() as output:
            status = self._run(file, kind, output)
            if self._is_closed:
                raise Interrupted("The server stopped while it was reading a file.")
            if status != 0:
                raise _failure(status)
            output.seek(0)
            answer = json.load(output)
        return _extracted(answer)

    def close(self) -> None:
        """End the child, if there is one; no other begins."""
        with self._lock:
            self._is_closed = True
            if self._child:
                self._child.kill()

    def _run(self, file: BinaryIO, kind: Kind, output: Any) -> int:
        """The exit status; -SIGALRM when it took too long."""
        with self._lock:
            if self._is_closed:
                return 0
            self._child = child = start_confined(_CHILD, kind.value, file, output, self._limits)
        try:
            return child.wait(self._limits.wall_s)
        except subprocess.TimeoutExpired:
            return -signal.SIGALRM
        finally:
            child.kill()
            child.wait()
            self._child = None


def _failure(status: int) -> InvalidInput:
    if -status in (signal.SIGXCPU, signal.SIGALRM):
        return InvalidInput(_TOO_SLOW, hint="Split it into parts.")
    logger.warning("a reader of files ended with status %s", status)
    return InvalidInput("The file is damaged: its reader broke down.")


def _extracted(answer: dict[str, Any]) -> Extracted:
    if "error" in answer:
        if cause := answer.get("cause"):
            logger.info("a file could not be read: %s", cause)
        raise InvalidInput(answer["error"], hint=answer["hint"])
    spans = tuple(Span(*span) for span in answer["spans"])
    return Extracted(answer["text"], answer["num_pages"], spans)
