"""Runner: carries one run from its first event to its last, on a worker thread, in plain synchronous code.

generate -> tools -> generate ...; every step appends an event. Nothing here knows who watches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial

from django.db import connections
from django.utils import timezone

from chat.conf import ChatConf
from chat.domain.errors import ChatError, Interrupted
from chat.domain.events import (
    Event,
    FinishReason,
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
from chat.domain.messages import Part, ReasoningPart, TextPart, ToolCall, ToolResult, part_to_dict
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
from chat.models import Conversation, Message, Run, RunStatus
from chat.models.run import LIVE
from chat.runs.cancel import CancelToken
from chat.runs.log import EventLog
from chat.runs.merge import MERGE_WINDOW_S, DeltaMerger
from chat.runs.prompt import build_request, fit, history_of
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


class Runner:
    """Executes runs; stateless between them, so that one serves all threads."""

    def __init__(self, log: EventLog, registry: ModelRegistry, tools: ToolRegistry, conf: ChatConf) -> None:
        self._log = log
        self._registry = registry
        self._tools = tools
        self._conf = conf

    def execute(self, run_id: int, token: CancelToken) -> None:
        """Carry the run to its end. Every failure becomes its last event: nobody is left waiting."""
        with tracing(run_id):
            journal = Journal(self._log, run_id)
            end = self._end_of(run_id, journal, token)
            journal.finish(end, save=partial(save_end, run_id, journal.reply, end))

    def _end_of(self, run_id: int, journal: Journal, token: CancelToken) -> Terminal:
        try:
            return self._answer(run_id, journal, token)
        except ChatError as exc:
            return RunFailed(exc.code, exc.message, exc.hint)
        except Exception:  # the border of the run: whatever it was, the reader is told
            logger.exception("run %s failed", run_id)
            hint = f"Try again. If it happens again, the server's log has the details under run {run_id}."
            return RunFailed("internal", "Something went wrong inside Parley.", hint)
        finally:
            connections.close_all()

    def _answer(self, run_id: int, journal: Journal, token: CancelToken) -> Terminal:
        run = Run.objects.select_related("conversation", "reply").get(pk=run_id)
        Run.objects.filter(pk=run_id).update(status=RunStatus.RUNNING, started_at=timezone.now())
        history = history_of(run)
        connections.close_all()  # an answer may take minutes; the next query opens a new one
        engine = self._registry.get(run.model)
        if not journal.reply.model:
            journal.append(RunStarted(model=engine.status().model))
            journal.replay(run.reply.content)
        return self._converse(run, history, engine, journal, token)

    def _converse(
        self, run: Run, history: list[Message], engine: Engine, journal: Journal, token: CancelToken
    ) -> Terminal:
        totals = _Totals()
        try:
            for _ in range(MAX_ROUNDS):
                generation = self._start_generation(run, history, engine, journal)
                outcome = self._generate(generation, journal, totals, token)
                if outcome.reason != "tool_calls":
                    return RunFinished(_finish_reason(outcome.reason))
                for call in outcome.calls:
                    self._call_tool(call, journal)
            return RunFailed(
                "tool_failed", f"The model called tools {MAX_ROUNDS} times without answering.", "Ask again."
            )
        finally:
            if totals.usages:
                journal.append(totals.report())

    def _start_generation(
        self, run: Run, history: list[Message], engine: Engine, journal: Journal
    ) -> Generation:
        if engine.status().state != "ready":
            _note_state(journal, StatusChanged("loading"))
        request = build_request(
            history,
            journal.reply.parts,
            system_prompt=self._conf.system_prompt,
            params=self._conf.params,
            tools=self._tools.specs(),
            scope=run.conversation.scope,
        )
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
                        merger.push(TextDelta(piece.text))
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

    def _call_tool(self, call: ToolCall, journal: Journal) -> None:
        journal.append(StatusChanged("calling"))
        journal.append(ToolStarted(call.id, call.name, call.arguments))
        result = self._tools.call(call)
        journal.append(
            ToolFinished(result.call_id, result.name, result.content, result.is_error, result.duration_ms)
        )


def save_end(run_id: int, reply: ReplyBuilder, end: Terminal) -> None:
    """Write what the run came to into its rows. Called in the transaction that stores the last event."""
    run = Run.objects.filter(pk=run_id, status__in=LIVE).first()
    if run is None:  # deleted, or ended by another process
        return
    run.status = status_after(end)
    run.model = reply.model or run.model
    run.finished_at = timezone.now()
    run.usage = asdict(reply.usage) if reply.usage else None
    if isinstance(end, RunFinished):
        run.finish_reason = end.reason
    else:
        run.error_code, run.error_message, run.error_hint = end.code, end.message, end.hint
    run.save()
    if reply.parts:  # a Continue that failed before it wrote anything leaves the text of the earlier runs
        Message.objects.filter(pk=run.reply_id).update(parts=[part_to_dict(part) for part in reply.parts])
    Conversation.objects.filter(pk=run.conversation_id).update(updated_at=run.finished_at, is_unread=True)


def status_after(end: Terminal) -> RunStatus:
    """Which of the four ends this is."""
    match end:
        case RunFinished(reason="stopped"):
            return RunStatus.STOPPED
        case RunFinished():
            return RunStatus.DONE
        case RunFailed(code=Interrupted.code):
            return RunStatus.INTERRUPTED
        case RunFailed():
            return RunStatus.ERROR


def _note_state(journal: Journal, state: StatusChanged) -> None:
    if state != journal.reply.state:
        journal.append(state)


def _finish_reason(reason: EndReason) -> FinishReason:
    return "stop" if reason == "tool_calls" else reason
