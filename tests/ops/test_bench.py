"""The benchmark beside llama-server: what its last lines say."""

from __future__ import annotations

import pytest

from bench.llama_server.goals import Point, absolute_lines, all_goals, verdict
from bench.llama_server.servers import DEFAULTS, PARLEY, TUNED

CROWD = Point("qwen", "eight-streams", "tokens_per_s")


def goal_lines(samples: dict[Point, dict[str, list[float]]]) -> list[str]:
    return [line for goal in all_goals(["qwen"]) if (line := goal.judge(samples))]


def test_a_goal_compares_the_medians_of_all_rounds() -> None:
    rounds = {PARLEY: [10.0, 120.0, 130.0], DEFAULTS: [100.0, 100.0, 400.0], TUNED: [150.0, 160.0, 20.0]}

    lines = goal_lines({CROWD: rounds})

    assert lines == [
        "goal qwen.eight-streams.tokens_per_s.vs-defaults ratio 1.2 target >=1.15 ok",
        "goal qwen.eight-streams.tokens_per_s.vs-tuned ratio 0.8 target >=1 short",
    ]


def test_what_was_not_measured_has_no_line() -> None:
    assert goal_lines({}) == []
    assert absolute_lines({}, {"qwen": 50.0}) == []


@pytest.mark.parametrize(
    ("value", "sense", "end"),
    [(0.7, "<=", "ok"), (0.71, "<=", "short"), (0.7, ">=", "ok"), (0.69, ">=", "short")],
)
def test_the_target_itself_is_reached(value: float, sense: str, end: str) -> None:
    assert verdict("name", value, sense, 0.7).endswith(f"target {sense}0.7 {end}")


def test_the_silence_and_the_share_of_the_memory_need_no_peer() -> None:
    samples = {
        Point("qwen", "long-prompt", "worst_gap_ms"): {PARLEY: [250.0, 290.0, 900.0]},
        Point("qwen", "one-stream", "written_per_s"): {PARLEY: [30.0]},
    }

    assert absolute_lines(samples, {"qwen": 50.0}) == [
        "goal qwen.long-prompt.worst_gap ms 290 target <=300 ok",
        "goal qwen.one-stream.bandwidth share 0.6 target >=0.8 short",
    ]
