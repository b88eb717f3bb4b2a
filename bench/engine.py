"""How fast the engine writes, alone and for many at once, beside llama-cpp-python's own high-level interface.

Run from the root, on an otherwise idle machine: `.venv/bin/python -m bench.engine [--model FILE] [--rounds N]`.

Each contestant runs in a process of its own, in turns (A B A B), on the same file with the same questions and the
same sampling. The peer serves one request after the other, as its server does: it has no batches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from chat.domain.messages import ChatMessage
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.config import EngineConfig
from chat.engine.pieces import EndPiece, ReasoningPiece, TextPiece
from chat.engine.process import EngineProcess

ROOT = Path(__file__).resolve().parent.parent
CONTESTANTS = ("parley", "llama-cpp-python")
SYSTEM = "You are a patient assistant who answers in whole sentences and explains each step. " * 8
TOPICS = ("roses", "tides", "bread", "rivers", "glass", "bees", "trains", "stars")
ROUND_QUESTIONS = 3
MAX_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: when its pieces came, in seconds since it was asked for, and how many tokens it has."""

    arrivals_s: tuple[float, ...]
    num_tokens: int


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario of one contestant in one round."""

    scenario: str
    tokens_per_s: float
    first_piece_ms: float
    worst_gap_ms: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """`num_streams` people ask at once, each a few questions in turn; with `system` all share a long system prompt."""

    name: str
    num_streams: int
    system: str = ""


SCENARIOS = (
    Scenario("1 stream", 1),
    Scenario("4 streams", 4),
    Scenario("8 streams", 8),
    Scenario("8 streams, shared system prompt", 8, SYSTEM),
)
Ask = Callable[[str, str, str], Reply]


def main() -> None:
    """Print a table of medians and ratios."""
    options = _parse_options()
    if options.contestant:
        print(json.dumps([asdict(result) for result in _run(options.contestant, options.model)]))
        return
    results: dict[str, list[Result]] = {name: [] for name in CONTESTANTS}
    for round_number in range(1, options.rounds + 1):
        for name in CONTESTANTS:
            print(f"round {round_number} of {options.rounds}: {name}", file=sys.stderr)
            results[name] += _run_in_child(name, options.model)
    _print_table(results)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter.gguf")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run_in_child(name: str, model: Path) -> list[Result]:
    command = [sys.executable, "-m", "bench.engine", "--contestant", name, "--model", str(model)]
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [Result(**fields) for fields in json.loads(answer.stdout.splitlines()[-1])]


def _run(name: str, model: Path) -> Iterator[Result]:
    start = {"parley": _start_parley, "llama-cpp-python": _start_peer}[name]
    ask = start(model)
    ask("warm-up", "", "Hello!")
    return (_measure(scenario, ask) for scenario in SCENARIOS)


def _measure(scenario: Scenario, ask: Ask) -> Result:
    def talk(number: int) -> list[Reply]:
        topic = TOPICS[number % len(TOPICS)]
        questions = [f"Tell me a long story about {topic}, part {part}." for part in range(ROUND_QUESTIONS)]
        return [ask(f"{scenario.name} {number}", scenario.system, question) for question in questions]

    started_at = time.monotonic()
    with ThreadPoolExecutor(scenario.num_streams) as people:
        replies = [reply for talks in people.map(talk, range(scenario.num_streams)) for reply in talks]
    elapsed_s = time.monotonic() - started_at
    return Result(
        scenario.name,
        sum(reply.num_tokens for reply in replies) / elapsed_s,
        statistics.median(reply.arrivals_s[0] for reply in replies) * 1000,
        max(_worst_gap_s(reply) for reply in replies) * 1000,
    )


def _worst_gap_s(reply: Reply) -> float:
    pairs = zip(reply.arrivals_s, reply.arrivals_s[1:], strict=False)
    return max((later - earlier for earlier, later in pairs), default=0.0)


def _start_parley(model: Path) -> Ask:
    engine = EngineProcess(model, EngineConfig(num_slots=8))

    def ask(scope: str, system: str, question: str) -> Reply:
        messages = [ChatMessage.of("system", system)] if system else []
        messages.append(ChatMessage.of("user", question))
        params = SamplingParams(temperature=0.8, max_tokens=MAX_TOKENS)
        generation = engine.submit(GenerationRequest(tuple(messages), params, scope=scope))
        asked_at = time.monotonic()
        arrivals: list[float] = []
        while not isinstance(piece := generation.next(600.0), EndPiece):
            if isinstance(piece, (TextPiece, ReasoningPiece)):
                arrivals.append(time.monotonic() - asked_at)
        return Reply(tuple(arrivals), piece.usage.completion_tokens)

    return ask


def _start_peer(model: Path) -> Ask:
    from llama_cpp import Llama

    llama = Llama(str(model), n_ctx=2048, verbose=False)
    turn = threading.Lock()  # two callers at once would crash it

    def ask(_scope: str, system: str, question: str) -> Reply:
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": question})
        asked_at = time.monotonic()
        with turn:
            stream = llama.create_chat_completion(
                messages,
                stream=True,
                max_tokens=MAX_TOKENS,
                temperature=0.8,
                top_k=40,
                top_p=0.95,
                min_p=0.05,
            )
            contents = (chunk["choices"][0]["delta"].get("content") for chunk in stream)
            arrivals = [time.monotonic() - asked_at for content in contents if content]
        return Reply(tuple(arrivals), len(arrivals))

    return ask


def _print_table(results: dict[str, list[Result]]) -> None:
    ours, peers = (results[name] for name in CONTESTANTS)
    print(f"{'median over rounds':50} {'ours':>10} {'peer':>10} {'ratio':>7}")
    for scenario in SCENARIOS:
        for label, read in _COLUMNS:
            own, peer = (_median(part, scenario.name, read) for part in (ours, peers))
            ratio = own / peer if peer else float("nan")
            print(f"{scenario.name + ': ' + label:50} {own:10.1f} {peer:10.1f} {ratio:7.2f}")


def _median(results: list[Result], scenario: str, read: Callable[[Result], float]) -> float:
    return statistics.median(read(result) for result in results if result.scenario == scenario)


_COLUMNS: tuple[tuple[str, Callable[[Result], float]], ...] = (
    ("tokens/s", lambda result: result.tokens_per_s),
    ("first text, ms", lambda result: result.first_piece_ms),
    ("worst gap, ms", lambda result: result.worst_gap_ms),
)


if __name__ == "__main__":
    main()
