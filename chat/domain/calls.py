"""A tool call as its readers follow it: from the moment the model asks for it to its result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from chat.domain.messages import Part, ToolCall, ToolResult

CallPhase = Literal["asking", "running", "done", "failed", "refused", "broken-off"]

_VERBS: dict[CallPhase, str] = {
    "asking": "Asks to call",
    "running": "Calling",
    "done": "Called",
    "failed": "Error calling",
    "refused": "Did not call",
    "broken-off": "Broke off calling",
}


@dataclass(slots=True)
class FollowedCall:
    """A call at `index` in its reply, and what has become of it so far.

    `is_asked`: a person's word is needed, which is then `is_allowed`. `is_over`: the run ended, no result will come.
    `has_passed`: the answer went on. `started_ms` counts from the beginning of the run.
    """

    index: int
    call: ToolCall
    result: ToolResult | None = None
    is_asked: bool = False
    is_allowed: bool | None = None
    is_over: bool = False
    has_passed: bool = False
    started_ms: int = 0

    @classmethod
    def of_parts(cls, parts: Iterable[Part]) -> list[Self]:
        """The calls of a stored reply, each with its result."""
        parts = list(parts)
        results = {part.call_id: part for part in parts if isinstance(part, ToolResult)}
        return [
            cls(index, part, results.get(part.id), is_over=True, has_passed=True)
            for index, part in enumerate(parts)
            if isinstance(part, ToolCall)
        ]

    def take_word(self, is_allowed: bool | None) -> None:  # noqa: FBT001 (the word itself)
        """A person is asked (None) or has answered."""
        self.is_asked, self.is_allowed = True, is_allowed

    @property
    def phase(self) -> CallPhase:
        """Where the call stands."""
        if self.is_allowed is False:
            return "refused"
        if self.result is not None:
            return "failed" if self.result.is_error else "done"
        if self.is_over:
            return "broken-off"
        return "asking" if self.is_asked and self.is_allowed is None else "running"

    @property
    def verb(self) -> str:
        """What is happening or has happened with the tool."""
        return _VERBS[self.phase]

    @property
    def is_pending(self) -> bool:
        """Something is still to come of it."""
        return self.phase in ("asking", "running")

    @property
    def is_open(self) -> bool:
        """Worth looking at; later one line of it is enough."""
        return self.is_pending or not self.has_passed
