"""One reply inside the engine: its tokens, how far they are computed, and where. Knows no library."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from chat.domain.params import AdapterFile, SamplingParams
from chat.engine.backend import ImageStretch
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
    `num_scheduled` what the batch in flight adds to it; `draft` are tokens that it tries behind these.
    `num_read_steps` counts steps since it has a slot and its prompt is not read.
    `checkpoint` is a length at which a chunk has to end, because the state is kept there. With `is_alone` no other
    shares its steps, and it takes nothing from earlier states. `stretches` are pictures in the prompt, in order.
    Only sequences with the same `adapter` share steps and states.
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
    num_read_steps: int = 0
    draft: list[int] = field(default_factory=list)
    checkpoint: int = 0
    slot: int | None = None
    status: SequenceStatus = SequenceStatus.WAITING
    is_alone: bool = False
    arrival: int = 0
    stretches: tuple[ImageStretch, ...] = ()
    adapter: AdapterFile | None = None

    @property
    def num_remaining(self) -> int:
        """Tokens that are known and not computed; 1 while writing."""
        return len(self.token_ids) - self.num_computed

    @property
    def next_image(self) -> ImageStretch | None:
        """The picture, or a part of one, that has to be computed before any other token; None when there is none."""
        return next((stretch for stretch in self.stretches if stretch.start == self.num_computed), None)

    @property
    def num_before_image(self) -> int:
        """Known tokens that are not computed, up to the next picture."""
        starts = (stretch.start for stretch in self.stretches if stretch.start >= self.num_computed)
        return next(starts, len(self.token_ids)) - self.num_computed

    def without_half_image(self, length: int) -> int:
        """The longest part of the first `length` tokens that does not end within a picture."""
        cut = (each.start for each in self.stretches if each.start < length < each.start + each.num_positions)
        return next(cut, length)

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
        return Prefix.of(self.token_ids[:-1], self.scope, self.num_shared, self.adapter)

    def computed_prefix(self) -> Prefix:
        """The tokens that the slot holds."""
        num_shared = min(self.num_shared, self.num_computed)
        return Prefix.of(self.token_ids[: self.num_computed], self.scope, num_shared, self.adapter)

    def shared_prefix(self) -> Prefix:
        """The leading part that is the same for everyone."""
        return Prefix.of(self.token_ids[: self.num_shared], self.scope, self.num_shared, self.adapter)
