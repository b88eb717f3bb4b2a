"""Which slot holds which tokens, and who runs in it. Knows no library: it only keeps the books."""

from __future__ import annotations

from dataclasses import dataclass

from chat.engine.prefix import Prefix
from chat.engine.sequence import Sequence

NOTHING = Prefix.of((), "", 0)


@dataclass(slots=True, eq=False)
class Slot:
    """One context of the model. While `owner` runs in it, the owner's tokens count, not `resident`."""

    id: int
    resident: Prefix = NOTHING
    owner: Sequence | None = None

    @property
    def is_free(self) -> bool:
        """True when nobody runs in it; it may still hold tokens worth using again."""
        return self.owner is None


class SlotTable:
    """All slots. Running slots are kept dense from 0: llama.cpp batches only neighbouring sequence ids together."""

    def __init__(self, num_slots: int) -> None:
        self._slots = [Slot(i) for i in range(num_slots)]

    def lowest_free(self) -> Slot | None:
        """The free slot with the lowest id, None when all are taken; changes nothing."""
        return next((slot for slot in self._slots if slot.is_free), None)

    def longest_prefix(self, wanted: Prefix, *, whole_only: bool) -> tuple[Slot, int] | None:
        """The free slot whose tokens serve `wanted` best, and how many do; with `whole_only` all of them have to."""
        best: tuple[Slot, int] | None = None
        for slot in self._slots:
            length = slot.resident.reusable_for(wanted) if slot.is_free else 0
            if whole_only and length < len(slot.resident):
                continue
            if length > (best[1] if best else 0):
                best = slot, length
        return best

    def claim(self, slot_id: int, sequence: Sequence) -> None:
        """Let `sequence` run in a free slot."""
        slot = self._slots[slot_id]
        assert slot.is_free, "a slot holds one sequence"
        slot.owner, slot.resident = sequence, NOTHING

    def release(self, slot_id: int) -> None:
        """The owner leaves; what it computed stays."""
        slot = self._slots[slot_id]
        assert slot.owner is not None, "only a taken slot can be released"
        slot.resident = slot.owner.computed_prefix()
        slot.owner = None

    def evict(self, slot_id: int) -> None:
        """Forget what a free slot holds."""
        self._slots[slot_id].resident = NOTHING

    def clear(self) -> None:
        """Forget everything, owners as well."""
        for slot in self._slots:
            slot.owner, slot.resident = None, NOTHING

    def hole(self) -> tuple[Slot, Slot] | None:
        """A free slot below the highest running one, and that one; None when the running slots are dense."""
        free = self.lowest_free()
        top = next((slot for slot in reversed(self._slots) if not slot.is_free), None)
        return (free, top) if free and top and free.id < top.id else None

    def num_taken(self) -> int:
        """Slots that somebody runs in."""
        return sum(not slot.is_free for slot in self._slots)

    def check_integrity(self, running: list[Sequence]) -> None:
        """Every running sequence has one slot of its own, and no slot is taken by anyone else.

        Raises: RuntimeError naming the slot.
        """
        owners = {slot.id: slot.owner for slot in self._slots if slot.owner is not None}
        expected = {sequence.slot: sequence for sequence in running}
        if owners != expected or len(expected) != len(running):
            raise RuntimeError(
                f"Slots {sorted(owners)} are taken, but {sorted(map(str, expected))} should be."
            )
