"""A run's events as the blocks of a prediction stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from chat.api.prediction import payload
from chat.api.prediction.chats import Turn
from chat.api.prediction.framing import Block, Framing
from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    HistoryTrimmed,
    Numbered,
    ReasoningDelta,
    RunFailed,
    RunFinished,
    RunStarted,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.domain.messages import ReasoningPart, ToolCall
from chat.domain.reply import ReplyBuilder

DONE = "[DONE]"
# While a long prompt is read the log is not silent, but the stream would be.
SILENCE_MS = 5_000


class Blocks:
    """Which blocks each event makes; a pure function of the events."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._reply = ReplyBuilder()
        self._has_begun = False

    def after(self, numbered: Numbered) -> list[Block]:
        """The blocks of the next event."""
        was_thinking = self._is_thinking
        self._reply.apply(numbered)
        thought = [self._end_of_thought()] if was_thinking and not self._is_thinking else []
        return thought + list(self._blocks(numbered.event))

    @property
    def _is_thinking(self) -> bool:
        parts = self._reply.parts
        return bool(parts) and isinstance(parts[-1], ReasoningPart) and self._reply.terminal is None

    def _end_of_thought(self) -> Block:
        thought = [part for part in self._reply.parts if isinstance(part, ReasoningPart)][-1]
        return Block("thinking", "", duration_s=payload.seconds(thought.duration_ms))

    def _blocks(self, event: Event) -> Iterator[Block]:
        match event:
            case TextDelta():
                if not self._has_begun:
                    self._has_begun = True
                    yield Block("start", event.text)
                yield Block("token", event.text)
            case ReasoningDelta():
                yield Block("thinking", event.text)
            case ToolStarted():
                call = ToolCall(event.call_id, event.name, event.arguments)
                yield Block("calledTools", [payload.used_tool(call, None)])
            case UsageReported():
                yield Block("usageMetadata", payload.usage(event))
            case RunFinished():
                yield from self._last_words(event)
            case RunFailed():
                yield Block("error", f"{event.message} {event.hint}".strip())
                yield Block("end", DONE)
            case RunStarted() | StatusChanged() | SourcesFound() | HistoryTrimmed() | ToolFinished():
                pass
            case ApprovalAsked() | ApprovalAnswered():
                pass
            case _:
                assert_never(event)

    def _last_words(self, event: RunFinished) -> Iterator[Block]:
        """What belongs to the whole answer comes after its last token."""
        if sources := payload.source_documents(self._reply.sources):
            yield Block("sourceDocuments", sources)
        if tools := payload.used_tools(self._reply.parts):
            yield Block("usedTools", tools)
        if event.reason == "stopped":
            yield Block("abort", DONE)
        yield Block("metadata", payload.metadata(self._turn))
        yield Block("end", DONE)


class PredictionEncoder:
    """Numbers the blocks and writes those after `after`: a reader who comes back misses none and sees none twice."""

    def __init__(self, turn: Turn, framing: Framing, after: int = 0) -> None:
        self._blocks = Blocks(turn)
        self._framing = framing
        self._after = after
        self._number = 0
        self._silent_since_ms = 0

    def skip(self, batch: list[Numbered]) -> None:
        """Take in events without writing them."""
        self.feed(batch)

    def feed(self, batch: list[Numbered]) -> str:
        """The blocks of these events; where they make none for long, a heartbeat."""
        text = "".join(self._write(block) for numbered in batch for block in self._blocks.after(numbered))
        if not text and self._is_silent(batch):
            text = self.ping()
        if text and batch:
            self._silent_since_ms = batch[-1].at_ms
        return text

    def ping(self) -> str:
        """A comment without a blank line, which some readers would take for an empty message."""
        return self._framing.ping

    def failure(self) -> str:
        """Without numbers: they belong to what happens in the run."""
        words = "The stream broke on the server's side. The answer goes on: resume after the last id."
        return self._framing.write(Block("error", words), None) + self._framing.write(
            Block("end", DONE), None
        )

    def _write(self, block: Block) -> str:
        self._number += 1
        return self._framing.write(block, self._number) if self._number > self._after else ""

    def _is_silent(self, batch: list[Numbered]) -> bool:
        return any(
            isinstance(numbered.event, StatusChanged) and numbered.at_ms - self._silent_since_ms >= SILENCE_MS
            for numbered in batch
        )
