"""One reply inside the engine: its tokens, how far they are computed, and where. Knows no library."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from chat.domain.params import SamplingParams
from chat.engine.prefix import Prefix


class SequenceStatus(Enum):
    """WAITING for a slot, READING the prompt, WRITING the reply."""

    WAITING = "waiting"
    READING = "reading"
    WRITING = "writing"


@dataclass(slots=True, eq=False)
class Sequence:
    """Counts in tokens. `token_ids` begins with the prompt and grows as the reply is written.

    `num_prompt` counts the prompt, `num_shared` its leading part that is the same for everyone (system prompt,
    tools), `num_cached` what was taken from an earlier state, `num_computed` what the slot holds now, and
    `num_scheduled` what the batch in flight adds to it. `num_passed_over` counts steps that left the prompt out.
    `checkpoint` is a length at which a chunk has to end, because the state is kept there. With `is_alone` no other
    shares its steps, and it takes nothing from earlier states.
    """

    id: int
    scope: str
    params: SamplingParams
    token_ids: list[int]
    num_prompt: int
    num_shared: int = 0
    num_cached: int = 0
    num_computed: int = 0
    num_scheduled: int = 0
    num_passed_over: int = 0
    checkpoint: int = 0
    slot: int | None = None
    status: SequenceStatus = SequenceStatus.WAITING
    is_cancelled: bool = False
    is_alone: bool = False
    arrival: int = 0

    @property
    def num_remaining(self) -> int:
        """Tokens that are known and not computed; 1 while writing."""
        return len(self.token_ids) - self.num_computed

    @property
    def num_generated(self) -> int:
        """Tokens of the reply so far."""
        return len(self.token_ids) - self.num_prompt

    @property
    def is_writing(self) -> bool:
        """True when each step adds one token."""
        return self.status is SequenceStatus.WRITING

    @property
    def finishes_reading(self) -> bool:
        """True when the batch in flight computes the last known token, whose logits choose the next one."""
        return self.num_computed + self.num_scheduled == len(self.token_ids)

    def wanted_prefix(self) -> Prefix:
        """The tokens that a cached state may replace: all but the last, whose logits are needed."""
        return Prefix.of(self.token_ids[:-1], self.scope, self.num_shared)

    def computed_prefix(self) -> Prefix:
        """The tokens that the slot holds."""
        num_shared = min(self.num_shared, self.num_computed)
        return Prefix.of(self.token_ids[: self.num_computed], self.scope, num_shared)

    def shared_prefix(self) -> Prefix:
        """The leading part that is the same for everyone."""
        return Prefix.of(self.token_ids[: self.num_shared], self.scope, self.num_shared)
