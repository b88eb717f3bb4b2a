"""RunPool: a worker thread for each live run, admission, and what happens to runs when the server starts and stops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from chat.domain.errors import Interrupted, Overloaded
from chat.domain.events import RunFailed
from chat.domain.reply import ReplyBuilder
from chat.models import LoggedEvent, Run, RunStatus
from chat.runs.cancel import CancelToken, Reason
from chat.runs.log import EventLog
from chat.runs.stored import save_end
from chat.runs.task import Job

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """A run on its thread, and the word that ends it."""

    token: CancelToken
    future: Future[None]


class RunPool:
    """Runs many at once. Threads mostly wait for the engine, which does the queueing and tells positions."""

    def __init__(
        self,
        log: EventLog,
        execute: Callable[[Job, CancelToken], None],
        job_of: Callable[[int], Job],
        max_runs: int,
    ) -> None:
        """`job_of` makes the job of a stored run from its id."""
        self._log = log
        self._execute = execute
        self._job_of = job_of
        self._max_runs = max_runs
        self._lock = threading.Lock()
        self._jobs: dict[int, _Work] = {}
        self._is_closing = False
        self._threads = ThreadPoolExecutor(max_workers=max_runs, thread_name_prefix="run")

    @property
    def num_live(self) -> int:
        """Runs that were submitted and have not ended."""
        return len(self._jobs)

    def check_room(self) -> None:
        """Raises: Overloaded when no more runs are taken."""
        if self._is_closing:
            raise Overloaded("The server is stopping.", hint="Send the message again in a moment.")
        if self.num_live >= self._max_runs:
            raise Overloaded(f"{self.num_live} answers are being written or waiting already.")

    def submit(self, run: Run) -> None:
        """Begin the run on a thread of its own."""
        self._log.open(run.pk, run.created_at)
        self._start(self._job_of(run.pk))

    def submit_detached(self, job: Job) -> None:
        """Begin a run that has no rows; whoever asked for it ends it with `EventLog.forget`."""
        self._log.open_detached(job.run_id)
        self._start(job)

    def cancel(self, run_id: int, reason: Reason = "stopped") -> None:
        """Ask the run to end; does nothing for one that has."""
        with self._lock:
            job = self._jobs.get(run_id)
        if job:
            job.token.set(reason)

    def recover_interrupted(self) -> int:
        """Bring order after a crash: queued runs begin, those caught in the middle end as interrupted.

        Call once, before the first submit. Returns the number of runs found.
        """
        runs = list(Run.objects.filter(status__in=(RunStatus.QUEUED, RunStatus.RUNNING)).order_by("pk"))
        for run in runs:
            stored = [row.numbered for row in LoggedEvent.objects.filter(run=run).order_by("seq")]
            self._log.open(run.pk, run.created_at, stored)
            if run.status == RunStatus.QUEUED and not stored:
                self._start(self._job_of(run.pk))
                continue
            reply = ReplyBuilder.of(stored)
            message = "The server stopped in the middle of this answer."
            end = RunFailed(Interrupted.code, message, Interrupted.default_hint)
            self._log.finish(run.pk, end, save=partial(save_end, run.pk, reply, end))
        if runs:
            logger.warning("found %s runs of a server that stopped", len(runs))
        return len(runs)

    def close(self, timeout_s: float = 8.0) -> None:
        """End every run as interrupted, its text kept, and take no more. Those that did not begin stay queued."""
        self._is_closing = True
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.token.set("shutdown")
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait([job.future for job in jobs], timeout=timeout_s)

    def _start(self, job: Job) -> None:
        token = CancelToken()
        with self._lock:
            future = self._threads.submit(self._execute, job, token)
            self._jobs[job.run_id] = _Work(token, future)
        future.add_done_callback(partial(self._forget, job.run_id))

    def _forget(self, run_id: int, future: Future[None]) -> None:
        with self._lock:
            self._jobs.pop(run_id, None)
        if not future.cancelled() and (exc := future.exception()):
            logger.error("run %s could not be ended", run_id, exc_info=exc)
