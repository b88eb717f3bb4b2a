"""Journal: one run's pen."""

from __future__ import annotations

from collections.abc import Callable

from chat.domain.events import (
    Event,
    ReasoningDelta,
    StatusChanged,
    Terminal,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from chat.domain.messages import Part, ReasoningPart, TextPart, ToolCall, ToolResult
from chat.domain.reply import ReplyBuilder
from chat.runs.log import EventLog


class Journal:
    """Every event goes to the log and into the reply so far. Only the run's own thread writes."""

    def __init__(self, log: EventLog, run_id: int) -> None:
        self._log = log
        self.run_id = run_id
        self.reply = ReplyBuilder.of(log.read(run_id))

    def append(self, event: Event, save: Callable[[], None] | None = None) -> None:
        """Number and store the event; see `EventLog.append`."""
        self.reply.apply(self._log.append(self.run_id, event, save))

    def note(self, state: StatusChanged) -> None:
        """The same for a state, unless it is the last one told."""
        if state != self.reply.state:
            self.append(state)

    def finish(self, event: Terminal, save: Callable[[], None]) -> None:
        """End the run; see `EventLog.finish`."""
        self.reply.apply(self._log.finish(self.run_id, event, save))

    def replay(self, parts: tuple[Part, ...]) -> None:
        """Begin with what an earlier run of the same reply wrote, so that this log is whole by itself."""
        for part in parts:
            match part:
                case TextPart():
                    self.append(TextDelta(part.text))
                case ReasoningPart():
                    self.append(ReasoningDelta(part.text))
                case ToolCall():
                    self.append(ToolStarted(part.id, part.name, part.arguments))
                case ToolResult():
                    self.append(finished(part))


def finished(result: ToolResult) -> ToolFinished:
    """The event that tells the result."""
    return ToolFinished(result.call_id, result.name, result.content, result.is_error, result.duration_ms)
