"""The event log: what happened in each run, numbered, in memory while it lives and in the database for good.

An event is shown to readers once it is stored, so that what was on a screen survives a crash. Only when the database
keeps it waiting for `MAX_HIDDEN_S` is it shown before: then the stream flows on from memory.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

from asgiref.sync import sync_to_async
from django.db import DatabaseError, IntegrityError, connections, transaction

from chat.domain.events import Event, Numbered, Terminal, event_to_dict, is_terminal, kind_of
from chat.models import LoggedEvent

logger = logging.getLogger(__name__)

# Between two transactions: little for few runs, whose readers wait for each, and never more than the second figure.
FLUSH_INTERVAL_PER_RUN_S = 0.002
MAX_FLUSH_INTERVAL_S = 0.04
RETRY_INTERVAL_S = 0.5
MAX_HIDDEN_S = 0.5

Save = Callable[[], None]


@dataclass(slots=True)
class _LiveRun:
    """A run's events while it lives. `num_stored` of them are in the database; a detached run has no rows at all."""

    run_id: int
    started_at: float
    is_detached: bool = False
    events: list[Numbered] = field(default_factory=list)
    appended_at: list[float] = field(default_factory=list)
    num_stored: int = 0
    readers: list[_Reader] = field(default_factory=list)

    def num_visible(self) -> int:
        """How many events readers may see: those stored, and those that have waited too long; an end must be stored."""
        visible, patient_since = self.num_stored, time.monotonic() - MAX_HIDDEN_S
        while visible < len(self.events) and self.appended_at[visible] <= patient_since:
            if is_terminal(self.events[visible].event):
                break
            visible += 1
        return visible

    def is_ending(self) -> bool:
        """Its last event is on the way into the database, or there."""
        return not self.is_detached and bool(self.events) and is_terminal(self.events[-1].event)

    def wake_readers(self) -> None:
        for reader in list(self.readers):
            reader.wake()


class _Reader:
    """A follower on some event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:  # the loop was closed with the reader still on it
            logger.debug("a reader's event loop is gone")

    async def wait(self, timeout_s: float) -> None:
        # Not `wait_for`: before Python 3.12 it forgets a cancellation that comes together with the event.
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()


@dataclass(frozen=True, slots=True)
class _Write:
    """Events of one run to be stored together, and what must be saved in the same transaction."""

    live: _LiveRun
    events: tuple[Numbered, ...]
    save: Save | None = None


class EventLog:
    """Numbers, keeps, stores and replays the events of all runs. Thread-safe; one writer thread commits for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[int, _LiveRun] = {}
        self._pending: list[_Write] = []
        self._has_pending = threading.Event()
        self._num_queued = 0
        self._num_done = 0
        self._is_closed = False
        self._behind_since: float | None = None
        self._writer = threading.Thread(target=self._write_until_closed, name="event-log", daemon=True)
        self._writer.start()

    def open(self, run_id: int, created_at: datetime, stored: list[Numbered] | None = None) -> None:
        """Begin a run, or take one up again that already has `stored` events."""
        age_s = time.time() - created_at.timestamp()
        live = _LiveRun(run_id, started_at=time.monotonic() - max(0.0, age_s))
        for numbered in stored or []:
            live.appended_at.append(time.monotonic())
            live.events.append(numbered)
        live.num_stored = len(live.events)
        with self._lock:
            self._live[run_id] = live

    def open_detached(self, run_id: int) -> None:
        """Begin a run that is never stored: its events stay in memory until `forget`."""
        with self._lock:
            self._live[run_id] = _LiveRun(run_id, started_at=time.monotonic(), is_detached=True)

    def forget(self, run_id: int) -> None:
        """Drop a detached run; what it still says goes nowhere."""
        with self._lock:
            self._live.pop(run_id, None)

    def append(self, run_id: int, event: Event, save: Save | None = None) -> Numbered:
        """Give `event` the next number and queue it for storage; `save` runs in the transaction that stores it.

        The run must be open.
        """
        return self._append(run_id, event, save)

    def finish(self, run_id: int, event: Terminal, save: Save) -> Numbered:
        """End a run: `save` runs in the transaction that stores `event`, and readers see the end after both."""
        return self._append(run_id, event, save)

    def read(self, run_id: int, after: int = 0) -> list[Numbered]:
        """All events that a reader may see, from number `after` + 1."""
        with self._lock:
            live = self._live.get(run_id)
            visible = live.events[after : live.num_visible()] if live else []
        if live and not live.is_ending():
            return visible
        # Between the commit of the end and the writer's word of it, the table knows more than the memory.
        return max(visible, _stored_events(run_id, after), key=len)

    async def follow(
        self, run_id: int, after: int = 0, tick_s: float = 15.0
    ) -> AsyncGenerator[list[Numbered], None]:
        """Batches as they come, each in order and without gaps; `[]` when `tick_s` passed in silence.

        Ends after the terminal event, or at once for a run that is neither live nor ended (the server is starting).
        """
        with self._lock:
            live = self._live.get(run_id)
        if live is None:
            if batch := await sync_to_async(self.read)(run_id, after):
                yield batch
            return
        reader = _Reader()
        live.readers.append(reader)
        try:
            async for batch in self._follow_live(live, reader, after, tick_s):
                yield batch
        finally:
            live.readers.remove(reader)

    @property
    def num_readers(self) -> int:
        """Streams that follow live runs now."""
        with self._lock:
            return sum(len(live.readers) for live in self._live.values())

    @property
    def behind_s(self) -> float:
        """How long the database has been refusing writes; 0 when all is well."""
        since = self._behind_since
        return time.monotonic() - since if since else 0.0

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything queued so far is stored; False when that took too long."""
        target, deadline = self._num_queued, time.monotonic() + timeout_s
        while self._num_done < target:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def close(self, timeout_s: float = 5.0) -> None:
        """Store what is queued and end the writer."""
        self.flush(timeout_s)
        self._is_closed = True
        self._has_pending.set()
        self._writer.join(timeout_s)

    def _append(self, run_id: int, event: Event, save: Save | None) -> Numbered:
        with self._lock:
            live = self._live.get(run_id) or _LiveRun(run_id, time.monotonic(), is_detached=True)
            now = time.monotonic()
            numbered = Numbered(len(live.events) + 1, event, at_ms=int((now - live.started_at) * 1000))
            live.appended_at.append(now)  # first: `num_visible` reads without the lock
            live.events.append(numbered)
            if live.is_detached:
                live.num_stored += 1
            else:
                self._pending.append(_Write(live, (numbered,), save))
                self._num_queued += 1
        if live.is_detached:
            live.wake_readers()
        else:
            self._has_pending.set()
        return numbered

    async def _follow_live(
        self, live: _LiveRun, reader: _Reader, after: int, tick_s: float
    ) -> AsyncIterator[list[Numbered]]:
        sent, silent_since = after, time.monotonic()
        while True:
            if batch := live.events[sent : live.num_visible()]:
                sent, silent_since = batch[-1].seq, time.monotonic()
                yield batch
                if is_terminal(batch[-1].event):
                    return
            elif time.monotonic() - silent_since >= tick_s:
                silent_since = time.monotonic()
                yield []
            is_hiding = live.num_visible() < len(live.events)
            await reader.wait(MAX_HIDDEN_S if is_hiding else tick_s)

    # --- the writer thread ------------------------------------------------------------------------------------

    def _write_until_closed(self) -> None:
        """The first event after a pause is stored at once; the others are gathered, one transaction for all runs."""
        stored_at = 0.0
        while True:
            self._has_pending.wait()
            if self._is_closed and not self._pending:
                connections.close_all()
                return
            interval_s = min(MAX_FLUSH_INTERVAL_S, FLUSH_INTERVAL_PER_RUN_S * len(self._live))
            time.sleep(max(0.0, stored_at + interval_s - time.monotonic()))
            with self._lock:
                writes, self._pending = self._pending, []
                self._has_pending.clear()
            if writes:
                self._store_patiently(writes)
                stored_at = time.monotonic()

    def _store_patiently(self, writes: list[_Write]) -> None:
        """Retry until the database takes them: while it refuses, streams flow on from memory."""
        while True:
            try:
                self._store_or_drop(writes)
                break
            except DatabaseError as exc:
                if self._behind_since is None:
                    self._behind_since = time.monotonic()
                    logger.warning("the event log cannot be stored, trying again: %s", exc)
                connections.close_all()
                if self._is_closed:
                    return
                time.sleep(RETRY_INTERVAL_S)
        self._behind_since = None
        for write in writes:
            self._publish(write)
        self._num_done += len(writes)

    def _store_or_drop(self, writes: list[_Write]) -> None:
        """A run that was deleted meanwhile loses its rows; nobody else's are touched."""
        try:
            self._store(writes)
        except IntegrityError:
            for write in writes:
                self._store_alone(write)

    def _store(self, writes: list[_Write]) -> None:
        with transaction.atomic():
            LoggedEvent.objects.bulk_create(
                _row(write.live.run_id, numbered) for write in writes for numbered in write.events
            )
            for write in writes:
                if write.save:
                    write.save()

    def _store_alone(self, write: _Write) -> None:
        try:
            self._store([write])
        except IntegrityError:
            logger.info("run %s is gone: its event is dropped", write.live.run_id)

    def _publish(self, write: _Write) -> None:
        live = write.live
        live.num_stored += len(write.events)
        if write.events and is_terminal(write.events[-1].event):
            with self._lock:
                self._live.pop(live.run_id, None)
        live.wake_readers()


def _stored_events(run_id: int, after: int) -> list[Numbered]:
    rows = LoggedEvent.objects.filter(run_id=run_id, seq__gt=after).order_by("seq")
    return [row.numbered for row in rows]


def _row(run_id: int, numbered: Numbered) -> LoggedEvent:
    return LoggedEvent(
        run_id=run_id,
        seq=numbered.seq,
        kind=kind_of(numbered.event),
        data=event_to_dict(numbered.event),
        at_ms=numbered.at_ms,
    )
