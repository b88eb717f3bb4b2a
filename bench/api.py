"""What each API costs over the engine alone: how much later the first text comes, and how much slower it flows.

Run from the root, on an otherwise idle machine: `.venv/bin/python -m bench.api [--model FILE] [--rounds N]`.

One engine in this process's charge and one server with the same file and the same slots take turns (engine, prediction,
OpenAI, NDJSON, engine, ...) with the same questions at temperature 0, so that all write the same answers. Each API has
a person of its own: none finds computed what another asked. Clients, one thread for each stream, run in this process,
so what they take to read JSON is part of the cost.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

from bench.serving import ROOT, parley
from chat.domain.messages import ChatMessage
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.config import EngineConfig
from chat.engine.pieces import EndPiece, ReasoningPiece, TextPiece
from chat.engine.process import EngineProcess

NUM_SLOTS = 8
STREAMS = (1, 8)
SYSTEM = "Answer in whole sentences."
TOPICS = ("roses", "tides", "bread", "rivers", "glass", "bees", "trains", "stars")
SAMPLING = {"temperature": 0.0, "max_tokens": 96}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: when its first and its last text came, in milliseconds since it was asked for, and its length."""

    first_ms: float
    last_ms: float
    num_tokens: int

    @property
    def token_ms(self) -> float:
        """The time that a token takes once the text flows."""
        return (self.last_ms - self.first_ms) / max(1, self.num_tokens - 1)


@dataclass(frozen=True, slots=True)
class Result:
    """One contestant at one number of streams in one round."""

    first_ms: float
    token_ms: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Site:
    """The running server, a flow without tools, and a key for each API."""

    port: int
    flow_id: str
    keys: dict[str, str]


Ask = Callable[[str], Reply]
# What one line of a stream says: whether there is text in it, and the tokens of the answer once they are told.
Read = Callable[[str], tuple[bool, int]]


def main() -> None:
    """Print a table of medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter.gguf")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=3, help="of each stream in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), options.model) as site:
        contestants: dict[str, Ask] = {"engine": _engine(options.model), **_apis(site, options.model.stem)}
        results = _measure_all(contestants, options.rounds, options.questions)
    _print_table(list(contestants), results)


def _measure_all(
    contestants: dict[str, Ask], num_rounds: int, num_questions: int
) -> dict[tuple[str, int], list[Result]]:
    results: dict[tuple[str, int], list[Result]] = {}
    for ask in contestants.values():
        ask("Hello!")
    for round_number in range(1, num_rounds + 1):
        for num_streams in STREAMS:
            for name, ask in contestants.items():
                print(f"round {round_number}: {name}, {num_streams} streams", file=sys.stderr)
                results.setdefault((name, num_streams), []).append(_measure(ask, num_streams, num_questions))
    return results


def _measure(ask: Ask, num_streams: int, num_questions: int) -> Result:
    def talk(number: int) -> list[Reply]:
        topic = TOPICS[number % len(TOPICS)]
        return [ask(f"Tell me a long story about {topic}, part {part}.") for part in range(num_questions)]

    started_at = time.monotonic()
    with ThreadPoolExecutor(num_streams) as people:
        replies = [reply for talks in people.map(talk, range(num_streams)) for reply in talks]
    elapsed_s = time.monotonic() - started_at
    return Result(
        statistics.median(reply.first_ms for reply in replies),
        statistics.median(reply.token_ms for reply in replies),
        sum(reply.num_tokens for reply in replies) / elapsed_s,
    )


def _engine(model: Path) -> Ask:
    engine = EngineProcess(model, EngineConfig(num_slots=NUM_SLOTS))
    params = SamplingParams(**SAMPLING)  # type: ignore[arg-type]

    def ask(question: str) -> Reply:
        messages = (ChatMessage.of("system", SYSTEM), ChatMessage.of("user", question))
        asked_at = time.monotonic()
        arrivals: list[float] = []
        generation = engine.submit(GenerationRequest(messages, params, scope="bench"))
        while not isinstance(piece := generation.next(600.0), EndPiece):
            if isinstance(piece, (TextPiece, ReasoningPiece)):
                arrivals.append((time.monotonic() - asked_at) * 1000)
        return Reply(arrivals[0], arrivals[-1], piece.usage.completion_tokens)

    return ask


def _apis(site: Site, model: str) -> dict[str, Ask]:
    def chat(question: str) -> dict[str, Any]:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        return {"model": model, "messages": messages, "stream": True, **SAMPLING}

    return {
        "prediction": _asking(
            site,
            "prediction",
            f"/api/v1/prediction/{site.flow_id}",
            lambda question: {"question": question, "streaming": True},
            _read_prediction,
        ),
        "OpenAI": _asking(
            site,
            "OpenAI",
            "/v1/chat/completions",
            lambda question: {**chat(question), "stream_options": {"include_usage": True}},
            _read_openai,
        ),
        "NDJSON": _asking(site, "NDJSON", "/v1/generate_response", chat, _read_ndjson),
    }


def _asking(site: Site, name: str, path: str, body_of: Callable[[str], dict[str, Any]], read: Read) -> Ask:
    headers = {"Authorization": f"Bearer {site.keys[name]}", "Content-Type": "application/json"}

    def ask(question: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=600)
        asked_at, num_tokens = time.monotonic(), 0
        arrivals: list[float] = []
        connection.request("POST", path, json.dumps(body_of(question)), headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        for line in response:
            has_text, told = read(line.decode())
            if has_text:
                arrivals.append((time.monotonic() - asked_at) * 1000)
            num_tokens = told or num_tokens
        connection.close()
        return Reply(arrivals[0], arrivals[-1], num_tokens)

    return ask


def _read_prediction(line: str) -> tuple[bool, int]:
    if not line.startswith("data:"):
        return False, 0
    event = json.loads(line.removeprefix("data:"))
    if event["event"] == "usageMetadata":
        return False, event["data"]["output_tokens"]
    return event["event"] == "token", 0


def _read_openai(line: str) -> tuple[bool, int]:
    if not line.startswith("data: {"):
        return False, 0
    chunk = json.loads(line.removeprefix("data:"))
    usage = chunk.get("usage") or {}
    return any(choice["delta"].get("content") for choice in chunk["choices"]), usage.get(
        "completion_tokens", 0
    )


def _read_ndjson(line: str) -> tuple[bool, int]:
    chunk = json.loads(line)
    return chunk["type"] == "delta", chunk.get("usage", {}).get("output_tokens", 0)


@contextmanager
def _server(folder: Path, model: Path) -> Iterator[Site]:
    """A server on a data folder of its own, with a flow that has no tools."""
    names = ("prediction", "OpenAI", "NDJSON")
    with parley(folder / "server", model, len(names), slots=NUM_SLOTS) as server:
        os.environ |= server.env
        django.setup()
        from chat.models import Flow

        flow = Flow.objects.create(name="bench", system_prompt=SYSTEM, tools=[], params=SAMPLING)
        yield Site(server.port, str(flow.pk), dict(zip(names, server.keys, strict=True)))


def _print_table(names: list[str], results: dict[tuple[str, int], list[Result]]) -> None:
    columns = ("first, ms", "later, ms", "ms/token", "tokens/s", "ratio")
    print(f"{'medians over rounds':24}" + "".join(f"{column:>11}" for column in columns))
    for num_streams in STREAMS:
        base = _median(results["engine", num_streams])
        for name in names:
            own = _median(results[name, num_streams])
            label = f"{num_streams} stream{'s' * (num_streams > 1)}: {name}"
            values = (own.first_ms, own.first_ms - base.first_ms, own.token_ms, own.tokens_per_s)
            numbers = "".join(f"{value:11.1f}" for value in values)
            print(f"{label:24}{numbers}{own.tokens_per_s / base.tokens_per_s:11.2f}")


def _median(results: list[Result]) -> Result:
    return Result(
        statistics.median(result.first_ms for result in results),
        statistics.median(result.token_ms for result in results),
        statistics.median(result.tokens_per_s for result in results),
    )


if __name__ == "__main__":
    main()
