"""The runs of one request: several where several choices were asked for. None of them is stored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from chat.domain.errors import ChatError, error_from_code
from chat.domain.events import Numbered, RunFailed, RunStarted, StatusChanged
from chat.http.detached import Idempotency
from chat.http.streaming import PING_INTERVAL_S
from chat.runs.task import Task
from chat.runtime import get_runtime

# How long the status of a stream may wait for the first sign of life, so that a prompt that does not fit is a 400.
# Loading a large model takes longer than clients wait for headers.
SETTLE_S = 10.0

_PREPARING = ("loading", "restarting")


class OpenRuns:
    """Runs that were started, or joined, and must be closed: who leaves early ends them."""

    def __init__(self, tasks: Sequence[Task], idempotency: Idempotency) -> None:
        """Raises: Overloaded, Conflict; none of the runs is left behind then."""
        runtime = get_runtime()
        self._detached = runtime.detached
        self._log = runtime.log
        self._ids: list[int] = []
        self._open: list[int] = []
        self._lock = threading.Lock()
        try:
            for number, task in enumerate(tasks):
                key = f"{idempotency.key}:{number}" if idempotency.key else ""
                run_id = self._detached.enter(task, key=key, fingerprint=idempotency.fingerprint)
                self._open.append(run_id)
        except ChatError:
            self.close()
            raise
        self._ids = list(self._open)

    def close(self) -> None:
        """Leave them; does nothing the second time. Any thread may call."""
        with self._lock:
            ids, self._open = self._open, []
        for run_id in ids:
            self._detached.leave(run_id)

    async def settle(self) -> None:
        """Wait until each has a place in the engine. Raises: ChatError of one that failed before."""
        try:
            async with asyncio.timeout(SETTLE_S):
                for run_id in self._ids:
                    await self._settle(run_id)
        except TimeoutError:
            return

    async def follow(self) -> AsyncIterator[tuple[int, list[Numbered]]]:
        """Batches of all runs as they come, each with its run's number; `[]` for a silence.

        Raises: ChatError when a run failed.
        """
        if len(self._ids) == 1:
            async for batch in self._log.follow(self._ids[0], tick_s=PING_INTERVAL_S):
                yield 0, checked(batch)
            return
        arrived: asyncio.Queue[tuple[int, list[Numbered] | None]] = asyncio.Queue()
        pumps = [
            asyncio.create_task(self._pump(number, run_id, arrived))
            for number, run_id in enumerate(self._ids)
        ]
        try:
            num_left = len(pumps)
            while num_left:
                number, new = await arrived.get()
                if new is None:
                    num_left -= 1
                else:
                    yield number, checked(new)
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump(
        self, number: int, run_id: int, arrived: asyncio.Queue[tuple[int, list[Numbered] | None]]
    ) -> None:
        try:
            async for batch in self._log.follow(run_id, tick_s=PING_INTERVAL_S):
                arrived.put_nowait((number, batch))
        finally:
            arrived.put_nowait((number, None))

    async def _settle(self, run_id: int) -> None:
        async with aclosing(self._log.follow(run_id)) as batches:
            async for batch in batches:
                if any(_is_under_way(numbered) for numbered in checked(batch)):
                    return


def checked(batch: list[Numbered]) -> list[Numbered]:
    """The batch. Raises: ChatError when the run failed in it."""
    if batch and isinstance(end := batch[-1].event, RunFailed):
        raise error_from_code(end.code, end.message, end.hint)
    return batch


def _is_under_way(numbered: Numbered) -> bool:
    match numbered.event:
        case RunStarted():
            return False
        case StatusChanged(state=state):
            return state not in _PREPARING
    return True
