"""What chat and text completions share: choices, each told by a run of its own, as chunks of a stream or one object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from chat.api.openai.answering import sse
from chat.api.openai.errors import error_in_stream
from chat.api.openai.fold import Outcome, total_usage
from chat.domain.errors import ChatError
from chat.domain.events import Event, Numbered

DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Style:
    """What the client asked for beside the words."""

    id: str
    created: int
    model: str
    has_logprobs: bool
    has_usage_chunk: bool


class ChoicesEncoder(ABC):
    """An `AnswerEncoder`; `num_same` tells how many choices share a prompt."""

    object_kind: ClassVar[str]
    chunk_kind: ClassVar[str]

    def __init__(self, style: Style, outcomes: Sequence[Outcome], num_same: int) -> None:
        self._head = {"id": style.id, "created": style.created, "model": style.model}
        self._has_usage_chunk = style.has_usage_chunk
        self._outcomes = outcomes
        self._num_same = num_same
        self._begun: set[int] = set()

    def feed(self, number: int, batch: list[Numbered]) -> str:
        """The chunks of a batch; those of a choice have an opening."""
        chunks = []
        if number not in self._begun:
            self._begun.add(number)
            chunks.append(self._opening(number))
        outcome = self._outcomes[number]
        chunks += [self._told(number, event) for it in batch for event in outcome.take(it.event)]
        return "".join(chunks)

    def gather(self, number: int, batch: list[Numbered]) -> None:
        """Take in a batch for the whole answer."""
        for numbered in batch:
            self._outcomes[number].take(numbered.event)

    def end(self) -> str:
        """The usage, where it was asked for, and the mark of the end."""
        if not self._has_usage_chunk:
            return DONE
        return sse({**self._head, "object": self.chunk_kind, "choices": [], "usage": self._usage()}) + DONE

    def failure(self, error: ChatError) -> str:
        """The error as an event."""
        return sse(error_in_stream(error)) + DONE

    def whole(self) -> Mapping[str, Any]:
        """The completion."""
        choices = [self._choice(number, outcome) for number, outcome in enumerate(self._outcomes)]
        return {**self._head, "object": self.object_kind, "choices": choices, "usage": self._usage()}

    @abstractmethod
    def _opening(self, number: int) -> str:
        """The chunk before all others of a choice; "" for none."""

    @abstractmethod
    def _told(self, number: int, event: Event) -> str:
        """The chunk of an event; "" for none."""

    @abstractmethod
    def _choice(self, number: int, outcome: Outcome) -> dict[str, Any]:
        """A choice of the whole answer."""

    def _chunk_of(self, choice: dict[str, Any]) -> str:
        chunk = {**self._head, "object": self.chunk_kind, "choices": [choice]}
        return sse({**chunk, "usage": None} if self._has_usage_chunk else chunk)

    def _usage(self) -> dict[str, Any]:
        return total_usage(self._outcomes, self._num_same)
