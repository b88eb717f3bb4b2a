"""Merging text into at most 25 deltas a second before it is numbered, so that what is sent equals what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable

from chat.domain.events import Event, ReasoningDelta, TextDelta, TokenLogprob

MERGE_WINDOW_S = 0.04


class DeltaMerger:
    """Collects text of one kind and hands it to `append` as one event when the window has passed."""

    def __init__(self, append: Callable[[Event], object]) -> None:
        self._append = append
        self._kind: type[TextDelta] | type[ReasoningDelta] = TextDelta
        self._buffer: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._since = 0.0

    def push(self, delta: TextDelta | ReasoningDelta) -> None:
        """Take in some text; the first after a pause goes out at once, so that the first word is not late."""
        if self._kind is not type(delta):
            self.flush()
            self._kind = type(delta)
        self._buffer.append(delta.text)
        if isinstance(delta, TextDelta):
            self._logprobs += delta.logprobs
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Hand over what is there once the window since the last event has passed."""
        if time.monotonic() - self._since >= MERGE_WINDOW_S:
            self.flush()

    @property
    def due_in_s(self) -> float | None:
        """Seconds until what is held back should go out; None when nothing is."""
        if not self._buffer:
            return None
        return max(0.0, self._since + MERGE_WINDOW_S - time.monotonic())

    def flush(self) -> None:
        """Hand over what is there now."""
        if not self._buffer:
            return
        text, self._buffer = "".join(self._buffer), []
        logprobs, self._logprobs = tuple(self._logprobs), []
        self._since = time.monotonic()
        self._append(TextDelta(text, logprobs) if self._kind is TextDelta else self._kind(text))
