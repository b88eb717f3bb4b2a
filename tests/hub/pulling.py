"""Pulling in tests: to the end, and to what went wrong."""

from __future__ import annotations

from chat.domain.errors import ChatError
from chat.hub.pull import Pull, PullStatus
from chat.hub.table import PullTable

REPO = "maker/Tiny-GGUF"
FILE = "Tiny-Q4_K_M.gguf"
NAME = "Tiny-Q4_K_M"


def ended(pull: Pull) -> PullStatus:
    assert pull.wait(30)
    return pull.status()


def pulled(table: PullTable, name: str = REPO) -> PullStatus:
    return ended(table.start(table.look_up(name)))


def error_of(table: PullTable, name: str = REPO) -> tuple[str, str]:
    """What is told, whether before the download or after it."""
    try:
        error: ChatError | None = pulled(table, name).error
    except ChatError as exc:
        error = exc
    assert error is not None
    return error.message, error.hint
