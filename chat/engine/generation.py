"""Replies as their readers see them: a thread-safe queue of pieces each, and the table of all that are open."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from chat.domain.errors import ChatError, Overloaded
from chat.domain.params import GenerationRequest
from chat.engine.pieces import EndPiece, Piece, StatePiece


@dataclass(frozen=True, slots=True)
class Job:
    """A request on its way into an engine; `resumed` are tokens that the reply already has, written in `resumed_ms`."""

    id: int
    request: GenerationRequest
    resumed: tuple[int, ...] = ()
    resumed_ms: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """What one step did for one job. `token_ids` are the new tokens of the reply, also those still without text."""

    job_id: int
    token_ids: tuple[int, ...] = ()
    pieces: tuple[Piece, ...] = ()
    error: ChatError | None = None

    @property
    def is_final(self) -> bool:
        """True when nothing follows for this job."""
        return self.error is not None or any(isinstance(piece, EndPiece) for piece in self.pieces)


class QueuedGeneration:
    """A `Generation` that another thread feeds.

    `job` is what an engine has to be given to write the rest; `has_slot` tells whether the engine computes for it.
    """

    def __init__(self, job: Job, cancel: Callable[[int], None]) -> None:
        self.job = job
        self.has_slot = False
        self.is_cancelled = False
        self._cancel = cancel
        self._token_ids: list[int] = []
        self._writing_since: float | None = None
        self._arrived: SimpleQueue[Piece | ChatError] = SimpleQueue()
        self._last: EndPiece | ChatError | None = None

    def next(self, timeout_s: float | None = None) -> Piece | None:
        """Wait for the next piece; None when `timeout_s` passed without one, and after the `EndPiece`.

        Raises: ChatError when the generation failed; it is then over.
        """
        if self._last is None:
            try:
                piece = self._arrived.get(timeout=timeout_s)
            except Empty:
                return None
            if not isinstance(piece, (EndPiece, ChatError)):
                return piece
            self._last = piece
            if isinstance(piece, EndPiece):
                return piece
        if isinstance(self._last, ChatError):
            raise self._last
        return None

    def cancel(self) -> None:
        """Stop within one step; an `EndPiece("stopped")` follows. Does nothing after the end."""
        self.is_cancelled = True
        self._cancel(self.job.id)

    def interrupt(self) -> None:
        """The engine died: from now on `job` names the tokens that the reply has."""
        self.has_slot = False
        if self._writing_since is not None:
            written_ms = self.job.resumed_ms + round((time.monotonic() - self._writing_since) * 1000)
            self.job = replace(self.job, resumed=tuple(self._token_ids), resumed_ms=written_ms)
            self._writing_since = None

    def feed(self, update: Update) -> None:
        """Hand over what a step did."""
        if update.token_ids:
            self._token_ids.extend(update.token_ids)
            self._writing_since = self._writing_since or time.monotonic()
        states = [piece.state for piece in update.pieces if isinstance(piece, StatePiece)]
        self.has_slot = self.has_slot or any(state == "reading" for state in states)
        for piece in update.pieces:
            self._arrived.put(piece)
        if update.error is not None:
            self._arrived.put(update.error)


class GenerationTable:
    """All open generations of one engine, at most `max_open`. Any thread may call."""

    def __init__(self, max_open: int, cancel: Callable[[int], None]) -> None:
        self._max_open = max_open
        self._cancel = cancel
        self._ids = itertools.count(1)
        self._open: dict[int, QueuedGeneration] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, request: GenerationRequest) -> QueuedGeneration:
        """Raises: Overloaded when too many are open."""
        with self._lock:
            if len(self._open) >= self._max_open:
                raise Overloaded(
                    f"{len(self._open)} answers are being written or wait already.", retry_after_s=5
                )
            job = Job(next(self._ids), request)
            generation = self._open[job.id] = QueuedGeneration(job, self._cancel)
            return generation

    def feed(self, updates: Iterable[Update]) -> None:
        """Hand each update to its generation; final ones close theirs. Unknown jobs are over: ignored."""
        for update in updates:
            with self._lock:
                is_final = update.is_final
                generation = (
                    self._open.pop(update.job_id, None) if is_final else self._open.get(update.job_id)
                )
            if generation:
                generation.feed(update)

    def fail_all(self, error: ChatError) -> None:
        """End every open generation with `error`."""
        self.feed([Update(job_id, error=error) for job_id in self.ids()])

    def ids(self) -> list[int]:
        """The open jobs, oldest first."""
        return [generation.job.id for generation in self.all()]

    def all(self) -> list[QueuedGeneration]:
        """The open generations, oldest first."""
        with self._lock:
            return list(self._open.values())
