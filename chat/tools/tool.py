"""What a tool is to the rest of the program, whatever it runs on: a child process, a thread or another server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chat.domain.messages import ToolSpec


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a call may know of the run that it belongs to.

    `search` finds passages in the run's documents and gives them numbered, as the model reads them; None when the run
    has no documents. `is_allowed`: a person has allowed this very call.
    """

    search: Callable[[str], str] | None = None
    is_allowed: bool = False


class Tool(Protocol):
    """One tool. `call` runs on the event loop of the tools and is cancelled when it takes too long or nobody waits."""

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        ...

    @property
    def needs_approval(self) -> bool:
        """Whether a person must allow each call."""
        ...

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """The result for the model. Raises: ToolFailed, whose message the model and the reader see."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class ToolSource(Protocol):
    """Tools that come and go, such as those of another server."""

    def tools(self) -> Sequence[Tool]:
        """Those that are there now. May be asked from any thread."""
        ...

    async def run(self) -> None:
        """Keep them up, on the event loop of the tools, until cancelled."""
        ...
