"""Which run the current thread or task works for, so that log lines can say it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

current_run_id: ContextVar[int | None] = ContextVar("current_run_id", default=None)


@contextmanager
def tracing(run_id: int) -> Iterator[None]:
    """Log lines written inside carry the run's id."""
    token = current_run_id.set(run_id)
    try:
        yield
    finally:
        current_run_id.reset(token)
