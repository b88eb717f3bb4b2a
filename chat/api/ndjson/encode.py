"""From events to lines: `info`, `delta`, and at the end `stop` or `error`; each a JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, assert_never

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
from chat.domain.messages import text_of
from chat.domain.reply import ReplyBuilder

CONTENT_TYPE = "application/x-ndjson"

Chunk = dict[str, Any]


class LineEncoder:
    """See `chat.http.streaming.Encoder`. One line for each event that has something to say."""

    def __init__(self, model: str) -> None:
        """`model` is the file's name, for the time before the run has begun."""
        self._model = model
        self._usage: UsageReported | None = None
        self._is_thinking = False

    def skip(self, batch: list[Numbered]) -> None:
        """Take in what the reader has already."""
        for numbered in batch:
            list(self._chunks(numbered))

    def feed(self, batch: list[Numbered]) -> str:
        """The lines of this batch."""
        return "".join(line(chunk) for numbered in batch for chunk in self._chunks(numbered))

    def ping(self) -> str:
        """NDJSON has no comments: what a client skips is an `info`."""
        return line(_info("Still working"))

    def failure(self) -> str:
        """The last line of a stream that broke on our side."""
        return line(error_chunk("The stream broke inside Parley. Try again."))

    def _chunks(self, numbered: Numbered) -> Iterator[Chunk]:
        event: Event = numbered.event
        match event:
            case TextDelta():
                yield {"type": "delta", "delta": event.text}
            case ReasoningDelta():
                if not self._is_thinking:
                    yield _info("Thinking")
                self._is_thinking = True
            case StatusChanged():
                yield from self._progress(event)
            case ToolStarted():
                yield _info(f"Calling the tool {event.name}")
            case UsageReported():
                self._usage = event
            case RunFinished():
                yield stop_chunk(event, self._usage, numbered.at_ms)
            case RunFailed():
                yield error_chunk(f"{event.message} {event.hint}")
            case RunStarted():
                self._model = event.model or self._model
            case SourcesFound() | HistoryTrimmed() | ToolFinished() | ApprovalAsked() | ApprovalAnswered():
                pass
            case _:
                assert_never(event)

    def _progress(self, status: StatusChanged) -> Iterator[Chunk]:
        if status.state == "loading":
            yield _info(f"Loading model {self._model}")
        elif status.state == "waiting":
            yield _info(f"Waiting for memory for model {self._model}")
        elif status.state == "queued":
            place = f", {status.position} in line" if status.position else ""
            wait = f", about {status.estimated_s} s" if status.estimated_s else ""
            yield _info(f"Waiting for a free place{place}{wait}")
        elif status.state == "restarting":
            yield _info(f"Loading model {self._model} again after a failure")


def whole_answer(reply: ReplyBuilder, duration_ms: int) -> Chunk:
    """The answer of a request that did not ask for a stream. The run must have finished."""
    assert isinstance(reply.terminal, RunFinished)
    message = {"role": "assistant", "content": text_of(reply.parts)}
    return {"type": "stop", "message": message} | stop_chunk(reply.terminal, reply.usage, duration_ms)


def stop_chunk(end: RunFinished, usage: UsageReported | None, duration_ms: int) -> Chunk:
    """Why the answer ended, and what it took."""
    return {
        "type": "stop",
        "stop_reason": "max_tokens" if end.reason == "length" else "end_turn",
        "usage": {
            "duration_ms": duration_ms,
            "input_tokens": usage.prompt_tokens if usage else 0,
            "output_tokens": usage.completion_tokens if usage else 0,
        },
    }


def error_chunk(message: str) -> Chunk:
    """What went wrong, as a line or as the body of a refusal."""
    return {"type": "error", "message": message.strip()}


def line(chunk: Chunk) -> str:
    """ASCII: no character of it ends a line for any client."""
    return json.dumps(chunk, ensure_ascii=True, separators=(",", ":"), allow_nan=False) + "\n"


def _info(message: str) -> Chunk:
    return {"type": "info", "message": message}
