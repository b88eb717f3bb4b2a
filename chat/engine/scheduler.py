"""Which sequences run, and which of their tokens the next step computes. Knows no slots' contents and no library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from chat.engine.backend import Chunk, Logits, rows_of_each
from chat.engine.budget import TokenBudget
from chat.engine.sequence import Sequence, SequenceStatus
from chat.engine.speculation import Speculator
from chat.engine.turns import Turns
from chat.engine.wait_estimate import WaitEstimate

# With each step a prompt counts as so many tokens shorter: short ones go first, those that came first among equals, and
# long ones are not starved.
AGEING_TOKENS = 32
# Prompt tokens in a step from which on more of them make no token cheaper.
LONG_STEP_TOKENS = 64
# Sums are rounded otherwise in chunks of another length: a sequence that is computed alone always has the same ones.
ALONE_CHUNK_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's work, sorted by slot; `chunks[i]` belongs to `sequences[i]`."""

    sequences: tuple[Sequence, ...]
    chunks: tuple[Chunk, ...]

    def __bool__(self) -> bool:
        return bool(self.chunks)

    @property
    def num_writing(self) -> int:
        """Sequences that add one token to their reply."""
        return sum(sequence.is_writing for sequence in self.sequences)

    @property
    def num_prompt_tokens(self) -> int:
        """Tokens of prompts."""
        return sum(sequence.num_scheduled for sequence in self.sequences if not sequence.is_writing)

    def rows_of(self, logits: Logits) -> list[tuple[Sequence, Logits]]:
        """The sequences that get logits, each with its own rows of them."""
        rows = zip(self.sequences, rows_of_each(self.chunks, logits), strict=True)
        return [(sequence, own) for sequence, own in rows if len(own)]


class Scheduler:
    """Waiting and running sequences. Those who write go first; prompts share what is left of the step."""

    def __init__(
        self, budget: TokenBudget, max_batch_tokens: int, speculator: Speculator | None = None
    ) -> None:
        self._budget = budget
        self._speculator = speculator
        self._max_batch_tokens = max_batch_tokens
        self._waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self._last_served: Counter[str] = Counter()
        self._num_arrivals = 0
        self._num_served = 0
        self._turns = Turns()
        self._estimate = WaitEstimate()

    @property
    def num_waiting(self) -> int:
        """Sequences without a slot."""
        return len(self._waiting)

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for a slot."""
        self._num_arrivals += 1
        sequence.arrival = self._num_arrivals
        self._waiting.append(sequence)

    def waiting(self) -> list[Sequence]:
        """The waiting ones in the order in which slots will be theirs: scopes take turns."""
        num_ahead = Counter(sequence.scope for sequence in self.running)
        turns: dict[int, tuple[int, int, int]] = {}
        for sequence in self._waiting:
            turns[sequence.id] = (
                num_ahead[sequence.scope],
                self._last_served[sequence.scope],
                sequence.arrival,
            )
            num_ahead[sequence.scope] += 1
        return sorted(self._waiting, key=lambda sequence: turns[sequence.id])

    def next_admission(self) -> Sequence | None:
        """The sequence that should have the next free slot; changes nothing.

        Passes over those whose system prompt is being computed for another: they will find it ready.
        """
        leaders = [sequence for sequence in self.running if sequence.num_computed < sequence.checkpoint]
        for sequence in self.waiting():
            if not any(_shares_prefix(sequence, leader) for leader in leaders):
                return sequence
        return None

    def admit(self, sequence: Sequence, slot: int) -> None:
        """Move a sequence from the queue into `slot`."""
        self._waiting.remove(sequence)
        self._num_served += 1
        self._last_served[sequence.scope] = self._num_served
        sequence.slot = slot
        sequence.status = SequenceStatus.READING
        self.running.append(sequence)
        self._estimate.admitted(sequence.id)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence, wherever it is."""
        holders = self.running if sequence in self.running else self._waiting
        holders.remove(sequence)
        self._estimate.left(sequence.id)
        if self._speculator:
            self._speculator.forget(sequence)
        self._forget_idle_scopes()

    def estimated_wait_s(self, position: int) -> int | None:
        """Seconds until the `position`th of the waiting ones has a slot, as far as can be told."""
        return self._estimate.seconds(position)

    def next_batch(self) -> Batch:
        """One token of every writing sequence, then prompt tokens up to the budget; or the part of one that is alone.

        Modifies `num_scheduled` of all running sequences.
        """
        group = self._next_group()
        if group and group[0].is_alone:
            group[0].num_scheduled = min(
                group[0].num_before_image, ALONE_CHUNK_TOKENS, self._max_batch_tokens
            )
        else:
            self._schedule_together(group)
        chosen = [sequence for sequence in self.running if sequence.num_scheduled]
        chosen.sort(key=_slot_of)
        return Batch(tuple(chosen), tuple(_chunk_of(sequence) for sequence in chosen))

    def next_to_look(self) -> Sequence | None:
        """The running sequence, admitted first, that comes to a picture; changes nothing."""
        return next((sequence for sequence in self.running if sequence.next_image), None)

    def record(self, batch: Batch, elapsed_s: float) -> None:
        """Tell how long the step of `batch` took."""
        self._budget.record(batch.num_writing, batch.num_prompt_tokens, elapsed_s)
        self._turns.spend(elapsed_s)
        if self._speculator and batch.num_writing == len(batch.sequences):
            self._speculator.record(batch.sequences, elapsed_s)

    def judge_draft(self, sequence: Sequence, num_drafted: int, num_accepted: int) -> None:
        """Tell how much of a draft was right."""
        if self._speculator:
            self._speculator.judge(sequence, num_drafted, num_accepted)

    def _next_group(self) -> list[Sequence]:
        """Those who share the next step: sequences that are computed alone, and those of each adapter, take turns."""
        groups: dict[Hashable, list[Sequence]] = {}
        for sequence in self.running:
            if not sequence.next_image:
                groups.setdefault(sequence if sequence.is_alone else sequence.adapter, []).append(sequence)
        return groups[self._turns.next(groups)] if groups else []

    def _schedule_together(self, group: list[Sequence]) -> None:
        writing = [sequence for sequence in group if sequence.is_writing]
        for sequence in writing:
            sequence.num_scheduled = 1
        if self._speculator and len(writing) == len(group):
            self._speculator.draft(writing)
        num_writing = sum(sequence.is_writing for sequence in self.running)  # those of other groups wait, too
        room = min(self._budget.num_prompt_tokens(num_writing), self._max_batch_tokens - len(writing))
        self._share_out([sequence for sequence in group if not sequence.is_writing], room)

    def _share_out(self, reading: list[Sequence], room: int) -> None:
        """Give `room` prompt tokens to the reading sequences, shortest remaining prompt first.

        Whoever has all of its prompt need not wait for the others' prompts: a step that is long enough ends with it.
        """
        num_given = 0
        for sequence in sorted(reading, key=_urgency):
            sequence.num_scheduled = min(_tokens_to_checkpoint(sequence), room)
            sequence.num_read_steps += 1
            num_given += sequence.num_scheduled
            is_ready = sequence.finishes_reading and num_given >= LONG_STEP_TOKENS
            room = 0 if is_ready else room - sequence.num_scheduled

    def _forget_idle_scopes(self) -> None:
        """Keep the turn of scopes only while somebody waits: the table must not grow with every visitor."""
        if not self._waiting:
            self._last_served.clear()


def batch_of(sequence: Sequence) -> Batch:
    """What one sequence has in the batch in flight, as a batch of its own."""
    return Batch((sequence,), (_chunk_of(sequence),))


def _chunk_of(sequence: Sequence) -> Chunk:
    start, end = sequence.num_computed, sequence.num_computed + sequence.num_scheduled
    token_ids = sequence.token_ids[start:end] + sequence.draft
    return Chunk(_slot_of(sequence), start, token_ids, sequence.finishes_reading, len(sequence.draft))


def _slot_of(sequence: Sequence) -> int:
    assert sequence.slot is not None, "only sequences with a slot are scheduled"
    return sequence.slot


def _urgency(sequence: Sequence) -> tuple[int, int]:
    return sequence.num_remaining - AGEING_TOKENS * sequence.num_read_steps, sequence.arrival


def _tokens_to_checkpoint(sequence: Sequence) -> int:
    if sequence.num_computed < sequence.checkpoint:
        return min(sequence.checkpoint - sequence.num_computed, sequence.num_before_image)
    return sequence.num_before_image


def _shares_prefix(sequence: Sequence, leader: Sequence) -> bool:
    """True when `leader` is computing the very system prompt that `sequence` begins with."""
    end = leader.num_shared
    if sequence.adapter != leader.adapter:
        return False
    return sequence.num_shared == end and sequence.token_ids[:end] == leader.token_ids[:end]
