"""Following the runs of one request together: several where several choices were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from chat.domain.events import Numbered
from chat.http.first_word import checked, wait_for_first_word
from chat.http.streaming import PING_INTERVAL_S
from chat.runs.log import EventLog

# How long the status of a stream may wait for the first sign of life, so that a prompt that does not fit is a 400.
SETTLE_S = 10.0

_Arrived = asyncio.Queue[tuple[int, list[Numbered] | None]]


async def settle(log: EventLog, run_ids: Sequence[int]) -> None:
    """Wait until each has a place in the engine. Raises: ChatError of one that failed before."""
    deadline = asyncio.get_running_loop().time() + SETTLE_S
    for run_id in run_ids:
        limit_s = deadline - asyncio.get_running_loop().time()
        await wait_for_first_word(
            log, run_id, limit_s, enough=("queued", "reading", "thinking", "writing", "calling")
        )


async def follow_all(log: EventLog, run_ids: Sequence[int]) -> AsyncIterator[tuple[int, list[Numbered]]]:
    """Batches of all runs as they come, each with its run's number; `[]` for a silence.

    Raises: ChatError when a run failed.
    """
    if len(run_ids) == 1:
        async for batch in log.follow(run_ids[0], tick_s=PING_INTERVAL_S):
            yield 0, checked(batch)
        return
    arrived: _Arrived = asyncio.Queue()
    pumps = [
        asyncio.create_task(_pump(log, run_id, number, arrived)) for number, run_id in enumerate(run_ids)
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


async def _pump(log: EventLog, run_id: int, number: int, arrived: _Arrived) -> None:
    try:
        async for batch in log.follow(run_id, tick_s=PING_INTERVAL_S):
            arrived.put_nowait((number, batch))
    finally:
        arrived.put_nowait((number, None))
