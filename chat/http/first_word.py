"""Waiting for the first word of an answer: what fails before it is a status of its own, not a stream that breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

from chat.domain.errors import error_from_code
from chat.domain.events import (
    Event,
    HistoryTrimmed,
    Numbered,
    RunFailed,
    RunStarted,
    RunState,
    SourcesFound,
    StatusChanged,
)
from chat.runs.log import EventLog


async def wait_for_first_word(
    log: EventLog, run_id: int, limit_s: float, enough: Collection[RunState] = ()
) -> bool:
    """True once the answer has begun, or is in one of the states that are `enough`; False after `limit_s`: clients wait
    for headers, not for ever.

    Raises: ChatError when the run fails before.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s), contextlib.aclosing(log.follow(run_id)) as batches:
            async for batch in batches:
                if any(_is_beginning(numbered.event, enough) for numbered in checked(batch)):
                    return True
    return False


def checked(batch: list[Numbered]) -> list[Numbered]:
    """The batch. Raises: ChatError when the run failed in it."""
    if batch and isinstance(end := batch[-1].event, RunFailed):
        raise error_from_code(end.code, end.message, end.hint)
    return batch


def _is_beginning(event: Event, enough: Collection[RunState]) -> bool:
    match event:
        case RunStarted() | HistoryTrimmed() | SourcesFound():
            return False
        case StatusChanged(state=state):
            return state in enough
    return True
