"""How large a step may be, and on how many threads it runs."""

from __future__ import annotations

import pytest

from chat.engine import threads
from chat.engine.budget import MAX_PROMPT_TOKENS, MIN_PROMPT_TOKENS, TokenBudget
from chat.engine.threads import ThreadGovernor


class TestTokenBudget:
    def test_the_first_step_is_small(self) -> None:
        assert TokenBudget().num_prompt_tokens(num_writing=0) == MIN_PROMPT_TOKENS

    def test_a_fast_machine_takes_the_largest_chunks(self) -> None:
        budget = TokenBudget()
        budget.record(num_writing=0, num_prompt_tokens=64, elapsed_s=0.01)

        assert budget.num_prompt_tokens(num_writing=3) == MAX_PROMPT_TOKENS

    def test_beside_writers_a_step_takes_a_fifth_of_a_second(self) -> None:
        budget = TokenBudget()
        budget.record(num_writing=2, num_prompt_tokens=0, elapsed_s=0.05)
        budget.record(num_writing=2, num_prompt_tokens=100, elapsed_s=0.15)

        assert budget.num_prompt_tokens(num_writing=2) == pytest.approx(150, abs=2)

    def test_a_slow_machine_still_gets_on(self) -> None:
        budget = TokenBudget()
        budget.record(num_writing=0, num_prompt_tokens=64, elapsed_s=60.0)

        assert budget.num_prompt_tokens(num_writing=4) == MIN_PROMPT_TOKENS


class TestThreadGovernor:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [0.0]
        monkeypatch.setattr(threads.time, "monotonic", lambda: now[0])
        return now

    def test_it_finds_that_one_thread_is_faster_on_a_busy_machine(self, clock: list[float]) -> None:
        governor = ThreadGovernor(max_threads=2, first_choice=2)

        chosen = self._play(governor, clock, {1: 0.05, 2: 0.27})

        assert chosen[0] == 2
        assert chosen.count(1) > 0.9 * len(chosen)

    def test_it_comes_back_when_the_neighbour_is_gone(self, clock: list[float]) -> None:
        governor = ThreadGovernor(max_threads=2, first_choice=2)
        self._play(governor, clock, {1: 0.05, 2: 0.27})

        chosen = self._play(governor, clock, {1: 0.05, 2: 0.03})

        assert chosen[-1] == 2
        assert chosen.count(2) > 0.5 * len(chosen)

    def test_one_core_leaves_no_choice(self, clock: list[float]) -> None:
        assert set(self._play(ThreadGovernor(1, 1), clock, {1: 0.05})) == {1}

    def _play(self, governor: ThreadGovernor, clock: list[float], seconds: dict[int, float]) -> list[int]:
        chosen = []
        for _ in range(400):
            chosen.append(governor.choose(1))
            clock[0] += seconds[chosen[-1]]
            governor.record(1, chosen[-1], seconds[chosen[-1]])
        return chosen
