"""What a parent has asked its child and not been answered yet."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from typing import Any

from chat.domain.errors import ChatError
from chat.engine.wire import Answered


class Questions:
    """Open questions by number. Its owner guards `ask` and `fail_all` by a lock; answers come from one thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Any]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def ask(self) -> tuple[int, Future[Any]]:
        """A new number, and what will hold the answer to it."""
        number = next(self._numbers)
        answer = self._open[number] = Future()
        return number, answer

    def answer(self, report: Answered) -> None:
        """The child has answered, perhaps with an error."""
        answer = self._open.pop(report.call_id)
        if isinstance(report.result, ChatError):
            answer.set_exception(report.result)
        else:
            answer.set_result(report.result)

    def fail_all(self, error: ChatError) -> None:
        """Nobody will answer any more."""
        failed, self._open = self._open, {}
        for answer in failed.values():
            answer.set_exception(error)
