"""What to do after a crash: how long to wait, what to blame, when to give up. Only counts; starts nothing."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterable

from chat.domain.errors import ChatError, EngineFailed, ModelUnreadable, OutOfMemory

MAX_LOAD_CRASHES = 3
LOAD_CRASHES_BEFORE_PLAIN_BUFFERS = 2
MAX_CRASHES = 8
CRASHES_BEFORE_SUSPICION = 2
QUIET_S = 60.0
MAX_DELAY_S = 15.0


class RestartPolicy:
    """The history of one engine's crashes.

    A job that was computed during two crashes is a suspect. If it was alone, it is to blame and fails; if others were
    computed beside it, each suspect next runs alone, so that the innocent get their answer.
    """

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name
        self._num_load_crashes = 0
        self._num_crashes = 0
        self._loaded_at = 0.0
        self._crashes_of: Counter[int] = Counter()

    @property
    def delay_s(self) -> float:
        """How long to wait before the next start: nothing after the first crash, then ever longer."""
        num_repeats = max(self._num_crashes, self._num_load_crashes) - 1
        return min(MAX_DELAY_S, 0.25 * 2**num_repeats) if num_repeats > 0 else 0.0

    @property
    def must_avoid_extra_bufts(self) -> bool:
        """True when loading crashed again and again: repacked weights crash on some processors."""
        return self._num_load_crashes >= LOAD_CRASHES_BEFORE_PLAIN_BUFFERS

    @property
    def is_hopeless(self) -> bool:
        """True when restarting has not helped many times in a row."""
        return self._num_crashes >= MAX_CRASHES

    def record_load(self) -> None:
        """A start succeeded."""
        self._loaded_at = time.monotonic()

    def record_load_crash(self, exit_status: int) -> ChatError | None:
        """A start failed; returns the reason to give up, None while another try is due."""
        self._num_load_crashes += 1
        if self._num_load_crashes < MAX_LOAD_CRASHES:
            return None
        if exit_status >= 0:
            return EngineFailed(
                "The engine does not start.", hint="Run make install; the server's log tells more."
            )
        if exit_status == -signal.SIGKILL:
            return OutOfMemory(f"The system ended the engine while it loaded {self._model_name}.")
        return ModelUnreadable(
            f"{self._model_name} crashes llama.cpp: the file is damaged or made to do harm."
        )

    def record_crash(self, running: Iterable[int]) -> list[int]:
        """A loaded engine crashed while it computed `running`; returns the jobs that are to blame."""
        if time.monotonic() - self._loaded_at > QUIET_S:
            self._num_crashes = 0
        self._num_crashes += 1
        self._crashes_of = Counter({job_id: self._crashes_of[job_id] + 1 for job_id in running})
        suspects = self._suspects(self._crashes_of)
        return suspects if len(self._crashes_of) == 1 else []

    def next_jobs(self, open_ids: Iterable[int], sent: Iterable[int]) -> list[int]:
        """Which open jobs the engine should have besides `sent`: all, or one suspect at a time."""
        already = set(sent)
        missing = [job_id for job_id in open_ids if job_id not in already]
        if not (suspects := self._suspects(missing)):
            return [] if self._suspects(already) else missing
        return [] if already else suspects[:1]

    def _suspects(self, job_ids: Iterable[int]) -> list[int]:
        return [job_id for job_id in job_ids if self._crashes_of[job_id] >= CRASHES_BEFORE_SUSPICION]


def crashed_twice() -> ChatError:
    """What the reader of a job that is to blame is told."""
    return EngineFailed(
        "The engine crashed twice while it wrote this answer.", hint="Change the message and try again."
    )
