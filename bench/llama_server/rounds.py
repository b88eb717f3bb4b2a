"""Lets the contestants take turns, and repeats a turn during which the machine was not at rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.llama_server.build import PeerBuild
from bench.llama_server.client import Endpoint
from bench.llama_server.goals import Point
from bench.llama_server.machine import Memory
from bench.llama_server.scenarios import Figures, Scenario, warm_up
from bench.llama_server.servers import CONTESTANTS, running

MAX_DEVIATION = 0.05
MAX_ATTEMPTS = 3

Tell = Callable[[str], None]
Records = dict[Point, dict[str, list[float]]]


class Rounds:
    """The rounds of one model. All contestants are loaded, and one at a time is asked: idle ones only hold memory."""

    def __init__(self, build: PeerBuild, memory: Memory, folder: Path, tell: Tell) -> None:
        """`folder` takes the servers' data and logs; `tell` gets a line for each thing that happens."""
        self._build = build
        self._memory = memory
        self._folder = folder
        self._tell = tell

    def measure(
        self, model: str, path: Path, scenarios: Iterable[Scenario], num_rounds: int, rest_s: float
    ) -> Records:
        """Figures of all contestants; rests for `rest_s` between the scenarios of a round."""
        records: Records = {}
        with ExitStack() as servers:
            endpoints = [
                servers.enter_context(running(name, self._build, path, self._folder / f"{model}-{number}"))
                for number, name in enumerate(CONTESTANTS)
            ]
            for endpoint in endpoints:
                asyncio.run(warm_up(endpoint))
            for number in range(num_rounds):
                for scenario in scenarios:
                    self._tell(f"{model}, round {number + 1} of {num_rounds}: {scenario.about}")
                    for name, figures in self._turn(scenario, endpoints).items():
                        for figure, value in figures.items():
                            point = Point(model, scenario.name, figure)
                            records.setdefault(point, {}).setdefault(name, []).append(value)
                    time.sleep(rest_s)
        return records

    def _turn(self, scenario: Scenario, endpoints: Sequence[Endpoint]) -> dict[str, Figures]:
        """One measurement of each contestant between two readings of the reference; of bad attempts the best."""
        attempts: list[tuple[float, dict[str, Figures]]] = []
        while len(attempts) < MAX_ATTEMPTS:
            before = self._memory.reference()
            results = {endpoint.name: self._ask(scenario, endpoint) for endpoint in endpoints}
            after = self._memory.reference()
            deviation = abs(after - before) / max(after, before)
            attempts.append((deviation, results))
            if deviation <= MAX_DEVIATION:
                return results
            self._tell(f"  the machine was not at rest: memory speed differs by {deviation:.0%}")
        deviation, results = min(attempts, key=lambda attempt: attempt[0])
        self._tell(f"  no attempt at rest; that with {deviation:.0%} counts")
        return results

    def _ask(self, scenario: Scenario, endpoint: Endpoint) -> Figures:
        figures = asyncio.run(scenario.measure(endpoint))
        values = ", ".join(f"{figures[name]:.1f} {unit}" for name, unit in scenario.figures.items())
        self._tell(f"  {endpoint.name:20} {values}")
        return figures
