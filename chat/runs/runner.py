"""Runner: carries one run from its first event to its last, on a worker thread, in plain synchronous code.

generate -> tools -> generate ...; every step appends an event. Nothing here knows who watches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from django.db import connections

from chat.domain.errors import ChatError, Interrupted
from chat.domain.events import (
    HistoryTrimmed,
    ReasoningDelta,
    RunFailed,
    RunFinished,
    RunStarted,
    StatusChanged,
    Terminal,
    TextDelta,
    ToolStarted,
    UsageReported,
)
from chat.domain.messages import ToolCall, ToolSpec
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
from chat.runs.approvals import Approvals
from chat.runs.calls import CallRound, Offer
from chat.runs.cancel import CancelToken
from chat.runs.journal import Journal
from chat.runs.log import EventLog
from chat.runs.merge import DeltaMerger
from chat.runs.meters import RunMeters
from chat.runs.prompt import fit, going_on
from chat.runs.sources import PassageFinder, SourceBook, with_passages
from chat.runs.task import Begin, Job, Task
from chat.tools.host import ToolHost
from chat.tools.search_documents import SEARCH_TOOL
from chat.tools.tool import ToolContext

logger = logging.getLogger(__name__)

MAX_ROUNDS = 5


@dataclass(slots=True)
class _Totals:
    """Usage summed over the generations of a run."""

    usages: list[GenerationUsage] = field(default_factory=list)

    def report(self, context_tokens: int) -> UsageReported:
        last = self.usages[-1]
        return UsageReported(
            prompt_tokens=sum(u.prompt_tokens for u in self.usages),
            cached_tokens=sum(u.cached_tokens for u in self.usages),
            completion_tokens=sum(u.completion_tokens for u in self.usages),
            queued_ms=sum(u.queued_ms for u in self.usages),
            prompt_ms=sum(u.prompt_ms for u in self.usages),
            completion_ms=sum(u.completion_ms for u in self.usages),
            context_used=last.prompt_tokens + last.completion_tokens,
            context_tokens=context_tokens,
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
        self,
        log: EventLog,
        registry: ModelRegistry,
        tools: ToolHost,
        approvals: Approvals,
        passages: PassageFinder,
        meters: RunMeters,
    ) -> None:
        self._log = log
        self._registry = registry
        self._tools = tools
        self._approvals = approvals
        self._passages = passages
        self._meters = meters

    def execute(self, job: Job, token: CancelToken) -> None:
        """Carry the run to its end. Every failure becomes its last event: nobody is left waiting."""
        with tracing(job.run_id):
            journal = Journal(self._log, job.run_id)
            end = self._end_of(job, journal, token)
            self._meters.count_end(journal.reply.model, end)
            journal.finish(end, save=partial(job.save, journal.reply, end))

    def _end_of(self, job: Job, journal: Journal, token: CancelToken) -> Terminal:
        try:
            task = job.load()
            connections.close_all()  # an answer may take minutes; the next query opens a new one
            return self._answer(task, journal, token, job.begin)
        except ChatError as exc:
            return RunFailed(exc.code, exc.message, exc.hint)
        except Exception:  # the border of the run: whatever it was, the reader is told
            logger.exception("run %s failed", job.run_id)
            hint = f"Try again. If it happens again, the server's log has the details under run {job.run_id}."
            return RunFailed("internal", "Something went wrong inside Parley.", hint)
        finally:
            connections.close_all()

    def _answer(self, task: Task, journal: Journal, token: CancelToken, begin: Begin) -> Terminal:
        engine = self._registry.get(task.model)
        task = replace(task, request=replace(task.request, tools=self._offered(task)))
        if not journal.reply.model:
            journal.append(RunStarted(model=engine.status().model), begin(task))
            journal.replay(task.written)
        documents = self._documents_of(task, journal, token, engine.status().context_tokens)
        if documents and journal.reply.has_searched:
            task = replace(task, request=with_passages(task.request, documents.book.found.sources))
        offer = self._offer_of(task, documents, journal)
        totals = _Totals()
        try:
            for _ in range(MAX_ROUNDS):
                generation = self._start_generation(task, engine, journal)
                outcome = self._generate(generation, journal, totals, token)
                if outcome.reason != "tool_calls":
                    return RunFinished(outcome.reason)
                others = [call for call in outcome.calls if call.name not in task.client_tools]
                CallRound(self._tools, self._approvals, offer, journal, token).run(others)
                if _is_stopped(token):
                    return RunFinished("stopped")
                if _left_to_client(task, outcome.calls, journal):
                    return RunFinished("tool_calls")
            return RunFailed(
                "tool_failed", f"The model called tools {MAX_ROUNDS} times without answering.", "Ask again."
            )
        finally:
            if totals.usages:
                journal.append(totals.report(engine.status().context_tokens))

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

    def _offered(self, task: Task) -> tuple[ToolSpec, ...]:
        """The task's tools without those that this run has no use for: nobody to ask, nothing to search."""

        def is_of_use(tool: ToolSpec) -> bool:
            if tool.name in task.client_tools:
                return True
            if self._tools.needs_approval(tool.name) and not task.can_ask:
                return False
            return tool.name != SEARCH_TOOL or task.search is not None

        return tuple(filter(is_of_use, task.request.tools))

    def _offer_of(self, task: Task, documents: _Documents | None, journal: Journal) -> Offer:
        context = ToolContext(search=documents.look_up if documents else None)
        return Offer(task.request.tools, context, task.can_ask, note=partial(_note, documents, journal))

    def _start_generation(self, task: Task, engine: Engine, journal: Journal) -> Generation:
        if (state := engine.status().state) != "ready":
            journal.note(StatusChanged("waiting" if state == "waiting" else "loading"))
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
            token.when_set(generation.cancel)
            while True:
                match generation.next(merger.due_in_s):
                    case None:
                        merger.flush_if_due()
                    case TextPiece(text, logprobs):
                        merger.push(TextDelta(text, logprobs))
                    case ReasoningPiece(text):
                        merger.push(ReasoningDelta(text))
                    case StatePiece() as piece:
                        merger.flush()
                        journal.note(
                            StatusChanged(piece.state, piece.position, piece.progress, piece.estimated_s)
                        )
                    case CallPiece(call):
                        calls.append(call)
                    case EndPiece() as piece:
                        totals.usages.append(piece.usage)
                        self._meters.count_generation(journal.reply.model, piece.usage)
                        return self._round(piece, calls, token)
        finally:
            merger.flush()

    def _round(self, end: EndPiece, calls: list[ToolCall], token: CancelToken) -> _Round:
        if _is_stopped(token):
            return _Round("stopped", ())
        return _Round("tool_calls" if calls else end.reason, tuple(calls))


def _is_stopped(token: CancelToken) -> bool:
    """Raises: Interrupted when it is the server that stops."""
    if token.reason == "shutdown":
        raise Interrupted("The server was stopped in the middle of this answer.")
    return token.reason == "stopped"


def _left_to_client(task: Task, calls: Sequence[ToolCall], journal: Journal) -> bool:
    """Tell the calls that whoever offered those tools makes; True when there are any."""
    left = [call for call in calls if call.name in task.client_tools]
    for call in left:
        journal.append(ToolStarted(call.id, call.name, call.arguments))
    return bool(left)


def _note(documents: _Documents | None, journal: Journal) -> None:
    """What a search by the model has added to the sources."""
    if documents and documents.book.found.sources != journal.reply.sources:
        journal.append(documents.book.found)
