"""CallRound: the tool calls of one round, side by side.

Tools and people answer on other threads; what they say is taken in on the run's own, which alone writes events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from chat.domain.events import ApprovalAnswered, ApprovalAsked, StatusChanged, ToolStarted
from chat.domain.messages import ToolCall, ToolResult, ToolSpec
from chat.runs.approvals import Approvals
from chat.runs.cancel import CancelToken
from chat.runs.journal import Journal, finished
from chat.tools.host import ToolHost
from chat.tools.tool import ToolContext

MAX_CALLS = 16
MAX_ASKING_S = 600.0

_TOO_MANY = f"Only {MAX_CALLS} tools can be called at once: this call was not made."
_REFUSED = "The person did not allow this call."
_UNANSWERED = f"Nobody allowed this call within {MAX_ASKING_S / 60:.0f} minutes: it was not made."


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools that a model was given, and what their calls may know.

    With `can_ask` there is a person who can allow a call. `note` is told after each result.
    """

    tools: tuple[ToolSpec, ...]
    context: ToolContext
    can_ask: bool
    note: Callable[[], None]


class CallRound:
    """Starts calls, asks a person where a tool wants that, and tells each result when it comes."""

    def __init__(
        self, host: ToolHost, approvals: Approvals, offer: Offer, journal: Journal, token: CancelToken
    ) -> None:
        self._host = host
        self._approvals = approvals
        self._offer = offer
        self._journal = journal
        self._token = token
        self._answers: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._running: dict[str, Future[ToolResult]] = {}
        self._asking: dict[str, Future[bool]] = {}

    def run(self, calls: Sequence[ToolCall]) -> None:
        """Until each call has its result. When the token is set, those without one are cancelled."""
        self._token.when_set(partial(self._answers.put, None))
        try:
            self._journal.note(StatusChanged("calling"))
            for call in calls:
                self._journal.append(ToolStarted(call.id, call.name, call.arguments))
            for call in calls[:MAX_CALLS]:
                self._begin(call)
            for call in calls[MAX_CALLS:]:
                self._finish(ToolResult(call.id, call.name, _TOO_MANY, is_error=True))
            self._take_answers()
        finally:
            self._cancel()

    def _begin(self, call: ToolCall) -> None:
        is_offered = any(call.name == spec.name for spec in self._offer.tools)
        if is_offered and self._offer.can_ask and self._host.needs_approval(call.name):
            self._ask(call)
        else:
            self._start(call, self._offer.context)

    def _ask(self, call: ToolCall) -> None:
        future = self._approvals.ask(self._journal.run_id, call.id)  # first: the answer may come at once
        self._asking[call.id] = future
        self._journal.append(ApprovalAsked(call.id))
        self._journal.note(StatusChanged("asking"))
        self._when_done(future, partial(self._go_on, call))

    def _go_on(self, call: ToolCall, future: Future[bool]) -> None:
        """The person's word came, or nobody's in time."""
        del self._asking[call.id]
        is_allowed = not future.cancelled() and future.result()
        self._journal.append(ApprovalAnswered(call.id, is_allowed))
        if not self._asking:
            self._journal.note(StatusChanged("calling"))
        if is_allowed:
            self._start(call, replace(self._offer.context, is_allowed=True))
        else:
            reason = _UNANSWERED if future.cancelled() else _REFUSED
            self._finish(ToolResult(call.id, call.name, reason, is_error=True))

    def _start(self, call: ToolCall, context: ToolContext) -> None:
        future = self._host.start(call, self._offer.tools, context)
        self._running[call.id] = future
        self._when_done(future, self._take_result)

    def _take_result(self, future: Future[ToolResult]) -> None:
        result = future.result()
        del self._running[result.call_id]
        self._finish(result)

    def _finish(self, result: ToolResult) -> None:
        self._journal.append(finished(result))
        self._offer.note()

    def _when_done(self, future: Future[Any], take: Callable[[Future[Any]], None]) -> None:
        future.add_done_callback(lambda done: self._answers.put(partial(take, done)))

    def _take_answers(self) -> None:
        give_up_at = time.monotonic() + MAX_ASKING_S
        while self._running or self._asking:
            wait_s = max(0.0, give_up_at - time.monotonic()) if self._asking else None
            try:
                take = self._answers.get(timeout=wait_s)
            except Empty:
                for question in list(self._asking.values()):
                    question.cancel()
                continue
            if take is None:
                return
            take()

    def _cancel(self) -> None:
        for call in self._running.values():
            call.cancel()
        for question in self._asking.values():
            question.cancel()
        self._approvals.forget(self._journal.run_id)
