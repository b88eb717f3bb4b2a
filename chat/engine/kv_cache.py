"""Puts sequences into slots with as much of their prompt already computed as can be found."""

from __future__ import annotations

from dataclasses import dataclass

from chat.engine.backend import Backend
from chat.engine.prefix import Prefix
from chat.engine.prefix_store import PrefixStore, State
from chat.engine.sequence import Sequence
from chat.engine.slots import Slot, SlotTable

# Below these a state is not worth the copy.
MIN_PARKED_TOKENS = 32
MIN_SHARED_TOKENS = 16
# A hole among the running slots splits each batch in two (2.6 times the step time); moving a sequence costs
# 2.6 us a token. Short holes fill up by themselves.
MAX_HOLE_STEPS = 50


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a prefix was found: in `slot` when it is not None, else parked as `state`."""

    length: int
    slot: Slot | None = None
    state: State | None = None


class KvCache:
    """Slots and parked states together; tells the backend what to move."""

    def __init__(self, backend: Backend, max_bytes: int) -> None:
        self._backend = backend
        self._slots = SlotTable(backend.num_slots)
        self._store = PrefixStore(max_bytes, can_drop_tail=backend.can_drop_tail)
        self._num_hole_steps = 0

    @property
    def num_running(self) -> int:
        """Slots in use."""
        return self._slots.num_taken()

    def has_free_slot(self) -> bool:
        """True when `place` will find a slot."""
        return self._slots.lowest_free() is not None

    def place(self, sequence: Sequence) -> int:
        """Claim a slot, fill it with the longest usable prefix and return its id.

        Modifies `num_cached`, `num_computed` and `checkpoint` of the sequence.
        """
        target = self._slots.lowest_free()
        assert target is not None, "the caller asks has_free_slot first"
        wanted = sequence.wanted_prefix()
        source = None if sequence.is_alone else self._find(wanted)
        self._make_room(target, source)
        length = self._without_half_image(target, sequence, self._fill(target, source))
        self._slots.claim(target.id, sequence)
        sequence.num_cached = sequence.num_computed = length
        if (
            MIN_SHARED_TOKENS <= sequence.num_shared < len(sequence.token_ids)
            and length < sequence.num_shared
            and not sequence.is_alone
        ):
            sequence.checkpoint = sequence.num_shared
        return target.id

    def keep_shared_prefix(self, sequence: Sequence) -> None:
        """Park the state of the system prompt at the moment when the slot holds exactly that."""
        if sequence.num_computed != sequence.checkpoint or not sequence.checkpoint:
            return
        sequence.checkpoint = 0
        shared = sequence.shared_prefix()
        if not self._store.has(shared) and sequence.slot is not None:
            self._store.put(shared, self._backend.copy_state(sequence.slot))

    def release(self, sequence: Sequence) -> None:
        """Free the slot of a sequence; its tokens stay for whoever may use them."""
        assert sequence.slot is not None, "only running sequences have a slot to release"
        self._slots.release(sequence.slot)
        sequence.slot = None

    def rewind(self, sequence: Sequence) -> None:
        """Bring a slot back to `num_computed` after a step that was broken off; to 0 when the model cannot."""
        assert sequence.slot is not None, "only running sequences are rewound"
        if not self._backend.drop_tail(sequence.slot, sequence.num_computed):
            sequence.num_computed = 0

    def close_hole(self) -> None:
        """Move the highest running sequence down when a slot below has stayed free for long."""
        hole = self._slots.hole()
        self._num_hole_steps = self._num_hole_steps + 1 if hole else 0
        if hole and self._num_hole_steps > MAX_HOLE_STEPS:
            self._move(*hole)

    def clear(self) -> None:
        """Forget all slots and parked states."""
        for slot_id in range(self._backend.num_slots):
            self._backend.drop_tail(slot_id, 0)
        self._slots.clear()
        self._store.clear()

    def check_integrity(self, running: list[Sequence]) -> None:
        """Raises: RuntimeError when the books do not agree with the running sequences."""
        self._slots.check_integrity(running)

    def _find(self, wanted: Prefix) -> _Source | None:
        resident = self._slots.longest_prefix(wanted, whole_only=not self._backend.can_drop_tail)
        parked = self._store.longest_prefix(wanted)
        if resident and resident[1] >= (parked.length if parked else 0):
            return _Source(resident[1], slot=resident[0])
        return _Source(parked.length, state=parked.parked.state) if parked else None

    def _make_room(self, target: Slot, source: _Source | None) -> None:
        """Park what `target` holds, unless the newcomer goes on from most of it."""
        goes_on = source is not None and source.slot is target and 2 * source.length >= len(target.resident)
        if not goes_on and len(target.resident) >= MIN_PARKED_TOKENS:
            self._store.put(target.resident, self._backend.copy_state(target.id))

    def _fill(self, target: Slot, source: _Source | None) -> int:
        """Bring the source's tokens into `target`; returns how many are there."""
        if source is None:
            self._backend.drop_tail(target.id, 0)
            return 0
        if source.slot is not target and not self._copy(source, target):
            return 0
        return source.length if self._backend.drop_tail(target.id, source.length) else 0

    def _without_half_image(self, target: Slot, sequence: Sequence, length: int) -> int:
        """Pictures are computed whole. A prefix that ends within one has met a number of the same value by chance."""
        whole = sequence.without_half_image(length)
        return whole if whole == length or self._backend.drop_tail(target.id, whole) else 0

    def _copy(self, source: _Source, target: Slot) -> bool:
        if source.slot is None:
            assert source.state is not None, "a source is a slot or a parked state"
            return self._backend.restore_state(target.id, source.state)
        state = self._backend.copy_state(source.slot.id)
        if 2 * source.length >= len(source.slot.resident):
            self._slots.evict(source.slot.id)  # the newcomer holds it from now on
        return self._backend.restore_state(target.id, state)

    def _move(self, free: Slot, top: Slot) -> None:
        sequence = top.owner
        assert sequence is not None, "the top of a hole is running"
        self._make_room(free, None)
        is_moved = self._backend.restore_state(free.id, self._backend.copy_state(top.id))
        self._slots.release(top.id)
        self._slots.evict(top.id)
        self._slots.claim(free.id, sequence)
        sequence.slot = free.id
        self._num_hole_steps = 0
        if not is_moved:
            sequence.num_computed = 0
