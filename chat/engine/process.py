"""The engine in a process of its own: llama.cpp aborts rather than raises, and only a process border survives that.

The parent keeps every open generation with the tokens that it has. When the child dies, another is started and goes on
from there: readers see a "restarting" state, then the rest of their text. Knows no HTTP and no database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chat.domain.errors import ChatError, EngineFailed, Interrupted, InvalidInput
from chat.domain.events import RunState
from chat.domain.params import GenerationRequest
from chat.engine.child import EngineChild
from chat.engine.config import EngineConfig
from chat.engine.generation import GenerationTable, QueuedGeneration, Update
from chat.engine.memory_budget import room_at_once
from chat.engine.pieces import EndPiece, EngineState, EngineStatus, GenerationUsage, StatePiece
from chat.engine.prompt_trace import PromptSpan
from chat.engine.questions import Questions
from chat.engine.restarts import RestartPolicy, crashed_twice
from chat.engine.wire import (
    Answered,
    CancelJob,
    CountTokens,
    Loaded,
    LoadFailed,
    LoadModel,
    Stepped,
    TracePrompt,
)

logger = logging.getLogger(__name__)

LOAD_TIMEOUT_S = 900.0
CLOSE_TIMEOUT_S = 1.8


class EngineProcess:
    """An `Engine` in a supervised child. Does not block on construction: the child loads the model meanwhile.

    With `room` the child begins when that is set.
    """

    def __init__(self, path: Path, config: EngineConfig, room: threading.Event | None = None) -> None:
        self._path = path
        self._config = config
        self._room = room or room_at_once()
        self._table = GenerationTable(config.max_generations, self._cancel)
        self._restarts = RestartPolicy(path.name)
        self._changed = threading.Condition()  # guards all that follows
        self._state: EngineState = "loading"
        self._error: ChatError | None = None
        self._child: EngineChild | None = None
        self._sent: set[int] = set()
        self._questions = Questions()
        self._context_tokens = self._num_running = 0
        self._num_written_tokens = self._num_restarts = 0
        self._supervisor = threading.Thread(target=self._supervise, name=f"engine {path.name}", daemon=True)
        self._supervisor.start()

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is no child."""
        child = self._child
        return child.pid if child else None

    def submit(self, request: GenerationRequest) -> QueuedGeneration:
        """See `Engine.submit`."""
        with self._changed:
            self._want()
            generation = self._table.open(request)
            if self._state == "ready":
                self._send_jobs()
            else:
                self._announce(generation)
        return generation

    def count_tokens(self, request: GenerationRequest) -> int:
        """See `Engine.count_tokens`."""
        num_tokens: int = self._ask(lambda call_id: CountTokens(call_id, request))
        return num_tokens

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        """See `Engine.trace_prompt`."""
        spans: tuple[PromptSpan, ...] = self._ask(lambda call_id: TracePrompt(call_id, request))
        return spans

    def status(self) -> EngineStatus:
        """See `Engine.status`."""
        num_running = self._num_running
        return EngineStatus(
            state="waiting" if self._is_waiting else self._state,
            model=self._path.stem,
            num_slots=self._config.num_slots,
            num_running=num_running,
            num_queued=max(len(self._table) - num_running, 0),
            context_tokens=self._context_tokens,
            detail=self._error.message if self._error else "",
            num_written_tokens=self._num_written_tokens,
            num_restarts=self._num_restarts,
            pid=self.pid,
        )

    def close(self) -> None:
        """See `Engine.close`; open generations end with `Interrupted`."""
        with self._changed:
            self._enter("stopped")
            self._room.set()
            if self._child:
                self._child.kill()
        self._supervisor.join(CLOSE_TIMEOUT_S)
        self._table.fail_all(Interrupted("The engine was closed in the middle of an answer."))

    def _ask(self, question: Callable[[int], CountTokens | TracePrompt]) -> Any:
        """The child's answer; waits until it is loaded."""
        with self._changed:
            self._want()
            self._changed.wait_for(lambda: self._state in ("ready", "failed", "stopped"))
            if self._state != "ready" or self._child is None:
                raise self._error or EngineFailed("The engine is closed.")
            number, answer = self._questions.ask()
            self._child.send(question(number))
        return answer.result()

    def _want(self) -> None:
        """Try again after a failure. Raises: EngineFailed when closed."""
        if self._state == "stopped":
            raise EngineFailed("The engine is closed.")
        if self._state == "failed":
            self._restarts = RestartPolicy(self._path.name)
            self._error = None
            self._enter("loading")

    def _enter(self, state: EngineState) -> None:
        self._state = state
        self._changed.notify_all()

    def _announce(self, generation: QueuedGeneration) -> None:
        state: RunState = "restarting" if self._state == "restarting" else "loading"
        piece = StatePiece("waiting" if self._is_waiting else state)
        self._table.feed([Update(generation.job.id, pieces=(piece,))])

    @property
    def _is_waiting(self) -> bool:
        """For memory, which others take."""
        return self._state == "loading" and not self._room.is_set()

    def _cancel(self, job_id: int) -> None:
        with self._changed:
            if job_id in self._sent and self._child:
                self._child.send(CancelJob(job_id))
            else:
                self._table.feed([_stopped(job_id)])

    def _send_jobs(self) -> None:
        """Send the child every job that it should have and does not."""
        assert self._child is not None, "jobs are sent to a loaded child"
        jobs = {generation.job.id: generation.job for generation in self._table.all()}
        for job_id in self._restarts.next_jobs(jobs, self._sent):
            try:
                self._child.send(jobs[job_id])
            except (TypeError, ValueError) as exc:
                self._table.feed(
                    [Update(job_id, error=InvalidInput(f"The request cannot be passed on: {exc}"))]
                )
            else:
                self._sent.add(job_id)

    def _supervise(self) -> None:
        """One round for each child. Linux ends a child with the thread that began it: this one lives as long."""
        self._wait_for_room()
        while self._wait_until_wanted():
            try:
                self._run_child()
            except Exception as error:  # the border of the engine: no reader may hang
                logger.exception("The engine's supervisor failed.")
                with self._changed:
                    self._give_up(EngineFailed(f"The engine cannot be run: {error}"))

    def _wait_for_room(self) -> None:
        if self._room.is_set():
            return
        self._room.wait()
        with self._changed:
            if self._state == "loading":
                for generation in self._table.all():
                    self._announce(generation)

    def _wait_until_wanted(self) -> bool:
        """Waits out the delay after a crash; False when the engine is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._state != "failed")
            if self._state == "restarting":
                self._changed.wait_for(lambda: self._state == "stopped", timeout=self._restarts.delay_s)
            return self._state != "stopped"

    def _run_child(self) -> None:
        with self._changed:
            if self._state == "stopped":
                return
            child = self._child = EngineChild(self._path.name)
        try:
            is_loaded = self._load(child)
            if is_loaded:
                self._follow(child)
        finally:
            exit_status = child.end()
            with self._changed:
                self._child = None
        with self._changed:
            self._after(exit_status, self._judge_crash if is_loaded else self._restarts.record_load_crash)

    def _load(self, child: EngineChild) -> bool:
        """True when the child takes jobs."""
        use_extra_bufts = False if self._restarts.must_avoid_extra_bufts else self._config.use_extra_bufts
        child.send(LoadModel(self._path, replace(self._config, use_extra_bufts=use_extra_bufts)))
        try:
            report = child.receive(LOAD_TIMEOUT_S)
        except TimeoutError:
            return False
        with self._changed:
            match report:
                case LoadFailed():
                    self._give_up(report.error)
                case Loaded() if self._state != "stopped":
                    self._restarts.record_load()
                    self._context_tokens = report.context_tokens
                    self._enter("ready")
                    self._send_jobs()
                    return True
        return False

    def _follow(self, child: EngineChild) -> None:
        """Pass on what the child reports, until it ends or says nothing for too long although it has work."""
        while True:
            try:
                report = child.receive(self._config.watchdog_s)
            except TimeoutError:
                if not self._sent and not self._questions:
                    continue
                logger.error("The engine of %s hangs: it is ended.", self._path.name)
                child.kill()
                return
            match report:
                case Stepped():
                    self._take_step(report)
                case Answered():
                    self._questions.answer(report)
                case _:
                    return

    def _take_step(self, report: Stepped) -> None:
        ended = {update.job_id for update in report.updates if update.is_final}
        with self._changed:
            self._num_running = report.num_running
            self._num_written_tokens += sum(len(update.token_ids) for update in report.updates)
            self._sent -= ended
            self._table.feed(report.updates)
            if ended:
                self._send_jobs()

    def _after(self, exit_status: int, judge: Callable[[int], ChatError | None]) -> None:
        """The child has ended: `judge` decides whether there will be another."""
        self._sent.clear()
        self._num_running = 0
        self._questions.fail_all(EngineFailed("The engine stopped before it answered."))
        if self._state in ("failed", "stopped"):
            return
        logger.error("The engine of %s ended with status %d.", self._path.name, exit_status)
        if error := judge(exit_status):
            self._give_up(error)
            return
        self._num_restarts += 1
        self._enter("restarting")
        for generation in self._table.all():
            self._announce(generation)

    def _judge_crash(self, _exit_status: int) -> ChatError | None:
        """Note what each generation has, and end those that were cancelled or are to blame."""
        generations = self._table.all()
        running = [generation.job.id for generation in generations if generation.has_slot]
        for generation in generations:
            generation.interrupt()
        self._table.feed(_stopped(each.job.id) for each in generations if each.is_cancelled)
        self._table.feed(
            Update(job_id, error=crashed_twice()) for job_id in self._restarts.record_crash(running)
        )
        return (
            EngineFailed(f"The engine of {self._path.name} keeps crashing.")
            if self._restarts.is_hopeless
            else None
        )

    def _give_up(self, error: ChatError) -> None:
        self._error = error
        if self._state != "stopped":
            self._enter("failed")
        self._table.fail_all(error)


def _stopped(job_id: int) -> Update:
    """The end of a job that no child works on."""
    return Update(job_id, pieces=(EndPiece("stopped", GenerationUsage(0, 0, 0, 0, 0, 0)),))
