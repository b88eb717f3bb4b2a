"""Numbers between bounds and texts of a format, by grammar."""

from __future__ import annotations

import json
import random
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.engine.gbnf import parse_grammar
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.json_grammar import json_grammar
from chat.engine.json_numbers import NoNumber, integers, numbers
from tests.engine.json_walk import walk


class TestNumbers:
    @pytest.mark.parametrize(
        ("low", "high"),
        [(0, 0), (0, 9), (3, 17), (-5, 5), (-120, -7), (98, 1203), (100, 999), (-1, 0), (7, 7), (0, 255)],
    )
    def test_whole_numbers_are_exact(self, low: int, high: int) -> None:
        grammar = parse_grammar("root ::= " + " | ".join(integers((low, False), (high, False))))

        found = []
        for number in range(-1300, 1301):
            way = GrammarMatcher(grammar)
            if way.accept(str(number).encode()) and way.may_end:
                found.append(number)

        assert found == list(range(low, high + 1))

    bounds = st.one_of(
        st.none(),
        st.tuples(st.integers(-1200, 1200) | st.floats(-50, 50).map(lambda f: round(f, 1)), st.booleans()),
    )

    @settings(max_examples=150, deadline=None)
    @given(bounds, bounds, st.randoms(use_true_random=False), st.booleans())
    def test_numbers_stay_between_their_bounds(
        self, low: Any, high: Any, chance: random.Random, is_whole: bool
    ) -> None:
        try:
            alternatives = integers(low, high) if is_whole else numbers(low, high)
        except NoNumber:
            return
        grammar = "root ::= " + " | ".join(alternatives)

        for _ in range(5):
            value = json.loads(walk(grammar, chance))
            assert low is None or (value > low[0] if low[1] else value >= low[0])
            assert high is None or (value < high[0] if high[1] else value <= high[0])

    @pytest.mark.parametrize(
        ("low", "high"), [((0, True), None), ((0, False), (1, True)), ((-1, True), (0, True))]
    )
    def test_fractions_beside_a_bound_can_be_written(self, low: Any, high: Any) -> None:
        grammar = parse_grammar("root ::= " + " | ".join(numbers(low, high)))
        way, zero = GrammarMatcher(grammar), GrammarMatcher(grammar)

        assert way.accept(b"-0.25" if high == (0, True) else b"0.25")
        assert (zero.accept(b"0") and zero.may_end) == (not low[1] and low[0] == 0)


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "read"),
        [
            ("date", date.fromisoformat),
            ("date-time", datetime.fromisoformat),
            ("uuid", UUID),
        ],
    )
    def test_what_comes_can_be_read(self, name: str, read: Any) -> None:
        chance = random.Random(3)
        grammar = json_grammar({"type": "string", "format": name})

        for _ in range(30):
            read(json.loads(walk(grammar, chance)))
