"""How large a step may be, and on how many threads it runs."""

from __future__ import annotations

import pytest

from chat.engine import threads
from chat.engine.budget import MAX_PROMPT_TOKENS, MIN_PROMPT_TOKENS, MIN_PROMPT_TOKENS_SLOW, TokenBudget
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

    def test_a_slow_machine_takes_small_steps_and_gets_on(self) -> None:
        budget = TokenBudget()
        budget.record(num_writing=0, num_prompt_tokens=64, elapsed_s=60.0)

        assert budget.num_prompt_tokens(num_writing=4) == MIN_PROMPT_TOKENS_SLOW


class TestThreadGovernor:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [0.0]
        monkeypatch.setattr(threads.time, "monotonic", lambda: now[0])
        return now

    def test_alone_on_the_machine_all_threads_compute(self, clock: list[float]) -> None:
        chosen = play(ThreadGovernor.up_to(2), clock, {1: 0.05, 2: 0.03})

        assert chosen.count(2) > 0.95 * len(chosen)

    def test_on_a_busy_machine_it_stays_with_one(self, clock: list[float]) -> None:
        chosen = play(ThreadGovernor.up_to(2), clock, {1: 0.05, 2: 2.0})

        assert chosen.count(2) < 0.03 * len(chosen)

    def test_a_neighbour_that_starts_to_compute_is_noticed_within_a_few_steps(
        self, clock: list[float]
    ) -> None:
        governor = ThreadGovernor.up_to(2)
        play(governor, clock, {1: 0.05, 2: 0.03})

        chosen = play(governor, clock, {1: 0.05, 2: 0.27})

        assert chosen[:8].count(2) <= 6
        assert chosen[8:].count(2) < 10

    def test_a_trial_is_broken_off_after_three_times_the_usual(self, clock: list[float]) -> None:
        governor = ThreadGovernor.up_to(2)
        governor.record(1, 1, 1, 0.1)

        assert governor.plan(1, 1).limit_s == pytest.approx(0.3)

    def test_it_comes_back_when_the_neighbour_is_gone(self, clock: list[float]) -> None:
        governor = ThreadGovernor.up_to(2)
        play(governor, clock, {1: 0.05, 2: 0.27})

        chosen = play(governor, clock, {1: 0.05, 2: 0.03})

        assert chosen[-1] == 2
        assert chosen.count(2) > 0.5 * len(chosen)

    def test_prompts_and_writing_are_judged_apart(self, clock: list[float]) -> None:
        governor = ThreadGovernor.up_to(2)
        play(governor, clock, {1: 0.05, 2: 0.27}, kind=3)

        assert play(governor, clock, {1: 0.5, 2: 0.3}, kind=0).count(2) > 300

    def test_one_core_leaves_no_choice(self, clock: list[float]) -> None:
        assert set(play(ThreadGovernor.up_to(1), clock, {1: 0.05})) == {1}


def play(governor: ThreadGovernor, clock: list[float], seconds: dict[int, float], kind: int = 1) -> list[int]:
    """The choices of 400 steps that take so long with so many threads."""
    chosen = []
    for _ in range(400):
        plan = governor.plan(kind, 64)
        elapsed_s = min(seconds[plan.num_threads], plan.limit_s or 1e9)
        chosen.append(plan.num_threads)
        clock[0] += elapsed_s
        governor.record(kind, plan.num_threads, 64, elapsed_s)
    return chosen
