"""Groups that cannot share a step take turns of equal time."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.engine.turns import TURN_S, Turns

STEP_S = TURN_S / 4


def test_a_group_keeps_its_turn_for_several_steps() -> None:
    turns = Turns()
    served = []

    for _ in range(12):
        served.append(turns.next(["pirate", "poet", None]))
        turns.spend(STEP_S)

    assert served == ["pirate"] * 4 + ["poet"] * 4 + [None] * 4


def test_a_long_step_is_a_turn() -> None:
    turns = Turns()
    served = []

    for _ in range(4):
        served.append(turns.next(["pirate", None]))
        turns.spend(2 * TURN_S if served[-1] == "pirate" else STEP_S)

    assert served == ["pirate", None, None, None]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.integers(0, 4)), max_size=60))
def test_nobody_who_stays_is_passed_over(changes: list[set[int]]) -> None:
    """However the others come and go."""
    turns = Turns()
    served: Counter[int] = Counter()

    for others in changes:
        served[turns.next(["steady", *others])] += 1
        turns.spend(TURN_S)

    assert served["steady"] >= len(changes) // 6
