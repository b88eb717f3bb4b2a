"""Tools that behave badly, run by children like the real ones, and one that is written in place."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.domain.messages import ToolSpec
from chat.tools.tool import ToolContext


def hang(expression: str) -> str:
    """Never ends."""
    threading.Event().wait()
    return ""


def fail(expression: str) -> str:
    """Raises."""
    raise RuntimeError("a secret of the server")


def flood(expression: str) -> str:
    """Says a great deal."""
    print("x" * 10_000_000)
    return "word " * 2_000_000


def hog(expression: str) -> str:
    """Takes much memory."""
    return str(len(bytearray(1 << 30)))


def die(expression: str) -> str:
    """Ends its process."""
    os._exit(3)


def give_bytes(expression: str) -> str:
    """Gives no text."""
    return b"\x00\xff"  # type: ignore[return-value]


def write_file(expression: str) -> str:
    """Writes to the disk."""
    Path("/tmp/written-by-a-tool").write_text("x")
    return "written"


def dirty(expression: str) -> str:
    """Says what no database takes."""
    return "a\x00b\ud83d"


def tell_environment(expression: str) -> str:
    """Says what it was born with."""
    return " ".join(os.environ)


def tell_pid(mood: str = "good") -> str:
    """Says which process it is."""
    if mood == "bad":
        raise RuntimeError(mood)
    return str(os.getpid())


@dataclass(frozen=True)
class FakeTool:
    """Calls `answer` on the event loop of the tools."""

    name: str
    answer: Callable[[Mapping[str, Any], ToolContext], Awaitable[str]]
    needs_approval: bool = False

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, "A tool.", {"type": "object"})

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        return await self.answer(arguments, context)

    async def close(self) -> None:
        """It holds nothing."""


def children() -> list[int]:
    """Process ids of the tools' children of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # gone meanwhile
        if b"chat.tools.worker_main" in command and parent == os.getpid():
            found.append(int(folder.name))
    return found
