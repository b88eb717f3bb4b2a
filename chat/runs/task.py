"""What one run is to do, gathered before it begins: from the rows of a conversation, or from a program's request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chat.domain.events import Terminal
from chat.domain.messages import Part
from chat.domain.params import GenerationRequest
from chat.domain.reply import ReplyBuilder
from chat.runs.sources import Search


@dataclass(frozen=True, slots=True)
class Task:
    """`request` is what the model is asked at first; the runner adds the rounds of tools.

    `written` is what an earlier run of the same reply wrote. Calls of `client_tools` end the run with "tool_calls":
    whoever offered them runs them. With `is_trimmed` the oldest messages are left out when all do not fit; without it
    that is an error. `search` finds the passages that the answer draws on. With `can_ask` there is a person who can
    allow a call.
    """

    request: GenerationRequest
    model: str = ""
    written: tuple[Part, ...] = ()
    client_tools: frozenset[str] = field(default_factory=frozenset)
    is_trimmed: bool = True
    search: Search | None = None
    can_ask: bool = False


Load = Callable[[], Task]
Begin = Callable[[Task], Callable[[], None] | None]
Save = Callable[[ReplyBuilder, Terminal], None]


def _nothing(_task: Task) -> None:
    """A run without rows has nothing to mark."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run for the pool: its id in the log, where its task comes from, and what becomes of its end.

    What `begin` returns and `save` run in the transactions that store its first event and its last; `begin` is given
    the task with the tools that the model is offered.
    """

    run_id: int
    load: Load
    save: Save
    begin: Begin = _nothing
