"""Runner: carries one run from its first event to its last, on a worker thread, in plain synchronous code.

generate -> tools -> generate ...; every step appends an event. Nothing here knows who watches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from django.db import connections

from chat.domain.errors import ChatError, Interrupted
from chat.domain.events import (
    Event,
    HistoryTrimmed,
    ReasoningDelta,
    RunFailed,
    RunFinished,
    RunStarted,
    StatusChanged,
    Terminal,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.domain.messages import Part, ReasoningPart, TextPart, ToolCall, ToolResult
from chat.domain.reply import ReplyBuilder
from chat.domain.trace import tracing
from chat.engine.pieces import (
    CallPiece,
    EndPiece,
    EndReason,
    Engine,
    Generation,
    GenerationUsage,
    ReasoningPiece,
    StatePiece,
    TextPiece,
)
from chat.engine.registry import ModelRegistry
from chat.runs.cancel import CancelToken
from chat.runs.log import EventLog
from chat.runs.merge import MERGE_WINDOW_S, DeltaMerger
from chat.runs.prompt import fit, going_on
from chat.runs.sources import PassageFinder, SourceBook, with_passages
from chat.runs.task import Job, Task
from chat.tools.registry import ToolRegistry

logger = logging.getLogger(__name__)

MAX_ROUNDS = 5


class Journal:
    """One run's pen: every event goes to the log and into the reply so far."""

    def __init__(self, log: EventLog, run_id: int) -> None:
        self._log = log
        self._run_id = run_id
        self.reply = ReplyBuilder.of(log.read(run_id))

    def append(self, event: Event) -> None:
        """Number and store the event."""
        self.reply.apply(self._log.append(self._run_id, event))

    def finish(self, event: Terminal, save: Callable[[], None]) -> None:
        """End the run; see `EventLog.finish`."""
        self.reply.apply(self._log.finish(self._run_id, event, save))

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
                    self.append(
                        ToolFinished(part.call_id, part.name, part.content, part.is_error, part.duration_ms)
                    )


@dataclass(slots=True)
class _Totals:
    """Usage summed over the generations of a run."""

    usages: list[GenerationUsage] = field(default_factory=list)

    def report(self) -> UsageReported:
        return UsageReported(
            prompt_tokens=sum(u.prompt_tokens for u in self.usages),
            cached_tokens=sum(u.cached_tokens for u in self.usages),
            completion_tokens=sum(u.completion_tokens for u in self.usages),
            queued_ms=sum(u.queued_ms for u in self.usages),
            prompt_ms=sum(u.prompt_ms for u in self.usages),
            completion_ms=sum(u.completion_ms for u in self.usages),
        )


@dataclass(frozen=True, slots=True)
class _Round:
    """What one generation came to."""

    reason: EndReason
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class _Documents:
    """A run's passages so far, and what the search tool asks for more; that adds to the book."""

    book: SourceBook
    look_up: Callable[[str], str]


class Runner:
    """Executes runs; stateless between them, so that one serves all threads."""

    def __init__(
        self, log: EventLog, registry: ModelRegistry, tools: ToolRegistry, passages: PassageFinder
    ) -> None:
        self._log = log
        self._registry = registry
        self._tools = tools
        self._passages = passages

    def execute(self, job: Job, token: CancelToken) -> None:
        """Carry the run to its end. Every failure becomes its last event: nobody is left waiting."""
        with tracing(job.run_id):
            journal = Journal(self._log, job.run_id)
            end = self._end_of(job, journal, token)
            journal.finish(end, save=partial(job.save, journal.reply, end))

    def _end_of(self, job: Job, journal: Journal, token: CancelToken) -> Terminal:
        try:
            task = job.load()
            connections.close_all()  # an answer may take minutes; the next query opens a new one
            return self._answer(task, journal, token)
        except ChatError as exc:
            return RunFailed(exc.code, exc.message, exc.hint)
        except Exception:  # the border of the run: whatever it was, the reader is told
            logger.exception("run %s failed", job.run_id)
            hint = f"Try again. If it happens again, the server's log has the details under run {job.run_id}."
            return RunFailed("internal", "Something went wrong inside Parley.", hint)
        finally:
            connections.close_all()

    def _answer(self, task: Task, journal: Journal, token: CancelToken) -> Terminal:
        engine = self._registry.get(task.model)
        if not journal.reply.model:
            journal.append(RunStarted(model=engine.status().model))
            journal.replay(task.written)
        documents = self._documents_of(task, journal, token, engine.status().context_tokens)
        if documents:
            task = replace(task, request=with_passages(task.request, documents.book.found.sources))
        totals = _Totals()
        try:
            for _ in range(MAX_ROUNDS):
                generation = self._start_generation(task, engine, journal)
                outcome = self._generate(generation, journal, totals, token)
                if outcome.reason != "tool_calls":
                    return RunFinished(outcome.reason)
                if self._call_tools(task, outcome.calls, journal):
                    return RunFinished("tool_calls")
            return RunFailed(
                "tool_failed", f"The model called tools {MAX_ROUNDS} times without answering.", "Ask again."
            )
        finally:
            if totals.usages:
                journal.append(totals.report())

    def _documents_of(
        self, task: Task, journal: Journal, token: CancelToken, context_tokens: int
    ) -> _Documents | None:
        """The passages for the question, in the log and at hand; None for a run without documents."""
        if task.search is None:
            return None
        book = self._passages.find(
            task.search,
            context_tokens=context_tokens,
            append=journal.append,
            is_cancelled=lambda: bool(token.reason),
        )
        connections.close_all()
        return _Documents(
            book, partial(self._passages.look_up, task.search, book, context_tokens=context_tokens)
        )

    def _start_generation(self, task: Task, engine: Engine, journal: Journal) -> Generation:
        if engine.status().state != "ready":
            _note_state(journal, StatusChanged("loading"))
        request = going_on(task.request, journal.reply.parts)
        if not task.is_trimmed:
            return engine.submit(request)
        prompt = fit(request, engine)
        if prompt.num_trimmed and prompt.num_trimmed != journal.reply.num_trimmed:
            journal.append(HistoryTrimmed(prompt.num_trimmed))
        return engine.submit(prompt.request)

    def _generate(
        self, generation: Generation, journal: Journal, totals: _Totals, token: CancelToken
    ) -> _Round:
        merger = DeltaMerger(journal.append)
        calls: list[ToolCall] = []
        try:
            while True:
                piece = generation.next(timeout_s=MERGE_WINDOW_S)
                if token.reason:
                    generation.cancel()
                match piece:
                    case None:
                        merger.flush_if_due()
                    case TextPiece():
                        merger.push(TextDelta(piece.text, piece.logprobs))
                    case ReasoningPiece():
                        merger.push(ReasoningDelta(piece.text))
                    case StatePiece():
                        merger.flush()
                        _note_state(journal, StatusChanged(piece.state, piece.position, piece.progress))
                    case CallPiece():
                        calls.append(piece.call)
                    case EndPiece():
                        totals.usages.append(piece.usage)
                        return self._round(piece, calls, token)
        finally:
            merger.flush()

    def _round(self, end: EndPiece, calls: list[ToolCall], token: CancelToken) -> _Round:
        if token.reason == "shutdown":
            raise Interrupted("The server was stopped in the middle of this answer.")
        if token.reason == "stopped":
            return _Round("stopped", ())
        return _Round("tool_calls" if calls else end.reason, tuple(calls))

    def _call_tools(self, task: Task, calls: tuple[ToolCall, ...], journal: Journal) -> bool:
        """Run the server's own; True when others are left to the client."""
        left = [call for call in calls if call.name in task.client_tools]
        for call in calls:
            journal.append(StatusChanged("calling"))
            journal.append(ToolStarted(call.id, call.name, call.arguments))
            if call not in left:
                result = self._tools.call(call, task.request.tools)
                journal.append(
                    ToolFinished(
                        result.call_id, result.name, result.content, result.is_error, result.duration_ms
                    )
                )
        return bool(left)


def _note_state(journal: Journal, state: StatusChanged) -> None:
    if state != journal.reply.state:
        journal.append(state)
