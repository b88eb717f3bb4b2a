"""The engine in this process: a thread that loads a model and writes many replies at once.

Everything that computes happens on that one thread: two threads would mean two pools of spinning workers, and each
step would take twice as long. Knows no processes and no HTTP.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

from chat.domain.errors import ChatError, EngineFailed, Interrupted
from chat.domain.events import RunState
from chat.domain.params import GenerationRequest
from chat.engine.config import EngineConfig
from chat.engine.generation import GenerationTable, Job, QueuedGeneration, Update
from chat.engine.loading import load_model
from chat.engine.memory_budget import room_at_once
from chat.engine.pieces import EngineState, EngineStatus, StatePiece
from chat.engine.prompt_trace import PromptSpan
from chat.engine.reply_table import Deliver
from chat.engine.step_loop import StepLoop

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0


class LlamaEngine:
    """An `Engine` inside this process: an abort in llama.cpp ends the process with it.

    `deliver` gets what each step did, in one call; without it the generations of `submit` do. With `room` it loads when
    that is set.
    """

    def __init__(
        self,
        path: Path,
        config: EngineConfig,
        room: threading.Event | None = None,
        *,
        deliver: Deliver | None = None,
    ) -> None:
        self._path = path
        self._config = config
        self._room = room or room_at_once()
        self._table = GenerationTable(config.max_generations, self.cancel)
        self._deliver = deliver or self._table.feed
        self._inbox: SimpleQueue[Job | int | None] = SimpleQueue()
        self._state: EngineState = "loading"
        self._error: ChatError | None = None
        self._loop: StepLoop | None = None
        self._is_loaded = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=f"engine {path.name}", daemon=True)
        self._thread.start()

    def submit(self, request: GenerationRequest) -> QueuedGeneration:
        """See `Engine.submit`."""
        if self._is_closing:
            raise EngineFailed("The engine is closed.")
        generation = self._table.open(request)
        self.enqueue(generation.job)
        return generation

    def enqueue(self, job: Job) -> None:
        """Queue a job whose id the caller has chosen; what becomes of it goes to `deliver`."""
        if self._state == "loading":
            state: RunState = "loading" if self._room.is_set() else "waiting"
            self._deliver([Update(job.id, pieces=(StatePiece(state),))])
        self._inbox.put(job)

    def cancel(self, job_id: int) -> None:
        """End a job within one step, also in the middle of its prompt."""
        self._inbox.put(job_id)
        if self._loop:
            self._loop.interrupt_reading(job_id)

    def count_tokens(self, request: GenerationRequest) -> int:
        """See `Engine.count_tokens`; runs on the caller's thread."""
        return self._loaded().count_tokens(request)

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        """See `Engine.trace_prompt`; runs on the caller's thread."""
        return self._loaded().trace_prompt(request)

    def wait_until_loaded(self) -> int:
        """Blocks; returns the context of a slot in tokens.

        Raises: ChatError when the model cannot be loaded.
        """
        return self._loaded().context_tokens

    def status(self) -> EngineStatus:
        """See `Engine.status`."""
        loop = self._loop
        num_running, num_waiting = (loop.num_running, loop.num_waiting) if loop else (0, 0)
        return EngineStatus(
            state="waiting" if self._state == "loading" and not self._room.is_set() else self._state,
            model=self._path.stem,
            num_slots=self._config.num_slots,
            num_running=num_running,
            # A job is for a moment neither in the inbox nor in the loop, but always in the table.
            num_queued=max(num_waiting + self._inbox.qsize(), len(self._table) - num_running),
            context_tokens=loop.context_tokens if loop else 0,
            detail=self._error.message if self._error else "",
        )

    def close(self) -> None:
        """See `Engine.close`; open generations end with `Interrupted`."""
        self._is_closing = True
        self._inbox.put(None)
        self._room.set()
        if self._loop:
            self._loop.interrupt()
        self._thread.join(CLOSE_TIMEOUT_S)
        self._table.fail_all(Interrupted("The engine was closed in the middle of an answer."))

    def _loaded(self) -> StepLoop:
        self._is_loaded.wait()
        if self._error:
            raise self._error
        assert self._loop is not None, "loaded without an error means there is a loop"
        return self._loop

    def _run(self) -> None:
        self._wait_for_room()
        self._open()
        while not self._is_closing:
            try:
                self._turn()
            except Exception as error:  # the border of the engine: no reader may hang
                logger.exception("A step of the engine failed.")
                self._recover(error)
        self._shut()

    def _wait_for_room(self) -> None:
        if not self._room.is_set():
            self._room.wait()
            self._deliver([Update(job_id, pieces=(StatePiece("loading"),)) for job_id in self._table.ids()])

    def _open(self) -> None:
        try:
            if self._is_closing:
                raise EngineFailed("The engine is closed.")
            self._loop = StepLoop(load_model(self._path, self._config), self._config, self._deliver)
            self._state = "ready"
        except ChatError as error:
            self._error = error
        except Exception as error:
            logger.exception("The model cannot be loaded.")
            self._error = EngineFailed(f"{self._path.name} cannot be loaded: {error}")
        if self._error:
            self._state = "failed"
        self._is_loaded.set()

    def _turn(self) -> None:
        """Take the commands that are there, waiting for one when there is nothing to do, then make a step."""
        loop = self._loop
        is_idle = loop is None or not (loop.num_running or loop.num_waiting)
        if loop and is_idle:
            loop.check_integrity()
        try:
            self._obey(self._inbox.get(block=is_idle))
            while True:
                self._obey(self._inbox.get(block=False))
        except Empty:
            pass
        if loop:
            loop.step()

    def _obey(self, command: Job | int | None) -> None:
        """A job is added, a number cancels the job of that id, None only wakes the thread."""
        match command:
            case Job() if self._loop:
                self._loop.add(command)
            case Job():
                self._deliver([Update(command.id, error=self._error)])
            case int() if self._loop:
                self._loop.cancel(command)

    def _recover(self, error: Exception) -> None:
        """Tell all readers, and begin again with empty slots."""
        known = error if isinstance(error, ChatError) else EngineFailed(f"The engine made a mistake: {error}")
        if self._loop:
            self._loop.fail_all(known)
            self._loop.flush()

    def _shut(self) -> None:
        self._state = "stopped"
        if self._loop:
            self._loop.close()
