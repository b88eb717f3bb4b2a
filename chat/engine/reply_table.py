"""All replies that are open, and the way of what happens to them to their readers."""

from __future__ import annotations

import time
from collections.abc import Callable

from chat.domain.errors import ChatError
from chat.engine.generation import Update
from chat.engine.reply import Reply

Deliver = Callable[[list[Update]], None]

# A very small model makes a thousand tokens a second; nobody reads that fast, and each hand-over wakes two threads.
FLUSH_INTERVAL_S = 0.03


class ReplyTable:
    """Replies by the id of their sequence. `deliver` gets the news of all of them in one go."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._replies: dict[int, Reply] = {}
        self._updates: list[Update] = []
        self._flushed_at = 0.0

    def __getitem__(self, sequence_id: int) -> Reply:
        return self._replies[sequence_id]

    def find(self, sequence_id: int) -> Reply | None:
        """None when it has ended."""
        return self._replies.get(sequence_id)

    def all(self) -> list[Reply]:
        """The open ones, oldest first."""
        return list(self._replies.values())

    def add(self, reply: Reply) -> None:
        """Open a reply."""
        self._replies[reply.sequence.id] = reply

    def refuse(self, job_id: int, error: ChatError) -> None:
        """Tell the reader of a job that there is no reply to it."""
        self._updates.append(Update(job_id, error=error))

    def remove(self, sequence_id: int) -> None:
        """Close a reply; its last news are kept for the next `flush`."""
        reply = self._replies.pop(sequence_id)
        if update := reply.take_update():
            self._updates.append(update)
        reply.close()

    def flush(self) -> None:
        """Hand over what happened since the last time; bare text may wait for some milliseconds."""
        now = time.monotonic()
        is_urgent = self._updates or any(reply.has_news for reply in self._replies.values())
        if not is_urgent and now - self._flushed_at < FLUSH_INTERVAL_S:
            return
        self._flushed_at = now
        new = (reply.take_update() for reply in self._replies.values())
        self._updates.extend(update for update in new if update)
        if self._updates:
            updates, self._updates = self._updates, []
            self._deliver(updates)

    def close(self) -> None:
        """Free all samplers."""
        for reply in self._replies.values():
            reply.close()
