"""Conversations that come in, whatever program wrote them: checked values, the same for all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from chat.domain.errors import InvalidInput
from chat.domain.messages import Part

MAX_MESSAGES = 20_000


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """How an answer was made. `fields` are those of `Run`; `sources` None: nothing was searched."""

    fields: dict[str, Any]
    sources: list[dict[str, Any]] | None = None
    is_lexical: bool = False


@dataclass(frozen=True, slots=True)
class ImportedFeedback:
    """What somebody thought of an answer."""

    rating: Literal["up", "down"]
    content: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """A turn; `id` and `parent` are those of the file."""

    id: str
    parent: str | None
    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]
    created_at: datetime | None = None
    runs: tuple[ImportedRun, ...] = ()
    feedback: tuple[ImportedFeedback, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedChat:
    """A tree of messages, parents before children. `source` names the program and its id for the conversation."""

    source: str
    source_id: str
    title: str
    messages: tuple[ImportedMessage, ...]
    leaf: str | None
    model: str = ""
    flow: str = ""
    system_prompt: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    pinned_at: datetime | None = None
    archived_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A place in another program's tree; without a message where it holds nothing that is kept here."""

    id: str
    parent: str | None
    message: ImportedMessage | None


def tree_of(nodes: Iterable[Node], leaf: str, place: str) -> tuple[tuple[ImportedMessage, ...], str | None]:
    """The messages, parents first, each hung where its next kept ancestor is; and the leaf of the shown branch.

    An answer in several messages, as programs store those that call tools, becomes one.
    Raises: InvalidInput when the nodes are no tree.
    """
    by_id = {node.id: node for node in nodes}
    ordered = _parents_first(by_id, place)
    merged_into: dict[str | None, str | None] = {None: None}
    kept: dict[str, ImportedMessage] = {}
    num_children = Counter(node.parent for node in ordered)
    for node in ordered:
        parent = merged_into[node.parent]
        before = kept.get(parent) if parent else None
        if node.message is None:
            merged_into[node.id] = parent
        elif before and before.role == node.message.role and num_children[node.parent] == 1:
            kept[before.id] = _joined(before, node.message)
            merged_into[node.id] = before.id
        else:
            kept[node.id] = replace(node.message, parent=parent)
            merged_into[node.id] = node.id
    return tuple(kept.values()), merged_into.get(leaf) or (next(reversed(kept)) if kept else None)


def _parents_first(by_id: dict[str, Node], place: str) -> list[Node]:
    """Raises: InvalidInput for a parent that is missing, and for a ring."""
    ordered: dict[str, Node] = {}
    for node in by_id.values():
        chain: list[Node] = []
        on_chain: set[str] = set()
        current: Node | None = node
        while current and current.id not in ordered:
            if current.id in on_chain:
                raise InvalidInput(f"{place}: its messages go in a ring.")
            chain.append(current)
            on_chain.add(current.id)
            if current.parent is not None and current.parent not in by_id:
                raise InvalidInput(f"{place}: the message before {current.id[:80]!r} is missing.")
            current = by_id[current.parent] if current.parent is not None else None
        ordered.update((each.id, each) for each in reversed(chain))
    return list(ordered.values())


def _joined(before: ImportedMessage, after: ImportedMessage) -> ImportedMessage:
    return replace(
        before,
        parts=before.parts + after.parts,
        runs=after.runs or before.runs,
        feedback=before.feedback + after.feedback,
    )
