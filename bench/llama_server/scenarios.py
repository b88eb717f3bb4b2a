"""What people do: alone, eight at once, with a long system prompt, in later turns, beside others' long prompts.

Each scenario measures one server once and returns its figures by name. Texts are random words, fresh for each request.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.llama_server.client import Endpoint, Message, Reply, ask

SHORT_WORDS = 90
QUESTION_WORDS = 40
SYSTEM_WORDS = 600
LONG_WORDS = 1500
NUM_TOKENS = 64
NUM_TURNS = 4
TURN_TOKENS = 48
NUM_VICTIMS = 3
VICTIM_TOKENS = 160
VICTIM_LEAD_CHUNKS = 8

WORDS = (
    "time year people way day man thing woman life child world school state family student group country problem hand "
    "part place case week company system program question work government number night point home water room mother "
    "area money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city community name president team minute idea kid body "
    "information back parent face others level office door health person art war history party result change morning "
    "reason research girl guy moment air teacher force education"
).split()

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something to measure; `figures` are the names and units of what it tells, in order."""

    name: str
    about: str
    figures: dict[str, str]
    measure: Callable[[Endpoint], Coroutine[Any, Any, Figures]]


async def warm_up(server: Endpoint) -> None:
    """A first request, which finds cold caches and lazy imports."""
    await ask(server, 0, [_question(SHORT_WORDS)], 16)


async def one_stream(server: Endpoint) -> Figures:
    """One person asks twice."""
    replies = [await ask(server, 0, [_question(SHORT_WORDS)], 2 * NUM_TOKENS) for _ in range(2)]
    gaps_s = [reply.arrivals_s[-1] - reply.arrivals_s[0] for reply in replies]
    tokens = [reply.num_tokens - 1 for reply in replies]
    return {
        "tokens_per_s": _throughput(replies),
        "written_per_s": sum(tokens) / sum(gaps_s),
        "first_ms": _median_first_ms(replies),
    }


async def eight_streams(server: Endpoint) -> Figures:
    """Eight people ask at once, each twice."""
    return _flow(await _crowd(server, 8, 2, SHORT_WORDS, []))


async def shared_system_prompt(server: Endpoint) -> Figures:
    """Eight people ask at once, each twice; all have the same long system prompt, which nobody had before."""
    system = {"role": "system", "content": _text(SYSTEM_WORDS)}
    return _flow(await _crowd(server, 8, 2, QUESTION_WORDS, [system]))


async def long_prompt(server: Endpoint) -> Figures:
    """A long prompt arrives while three people read along."""
    started_at_s = time.monotonic()
    num_chunks = [0] * NUM_VICTIMS
    all_write = asyncio.Event()

    async def read_along(person: int) -> Reply:
        def count() -> None:
            num_chunks[person] += 1
            if min(num_chunks) >= VICTIM_LEAD_CHUNKS:
                all_write.set()

        return await ask(server, person, [_question(SHORT_WORDS)], VICTIM_TOKENS, count)

    victims = [asyncio.create_task(read_along(person)) for person in range(NUM_VICTIMS)]
    await all_write.wait()
    newcomer = await ask(server, NUM_VICTIMS, [_question(LONG_WORDS)], NUM_TOKENS // 2)
    replies = await asyncio.gather(*victims)
    return {
        "worst_gap_ms": max(reply.worst_gap_ms(newcomer.asked_at_s) for reply in replies),
        "first_ms": newcomer.first_ms,
        "total_s": time.monotonic() - started_at_s,
    }


async def later_turns(server: Endpoint) -> Figures:
    """One person's conversation; what counts is how soon the second and later answers begin."""
    messages: list[Message] = []
    replies: list[Reply] = []
    for _ in range(NUM_TURNS):
        messages.append(_question(QUESTION_WORDS))
        replies.append(await ask(server, 0, messages, TURN_TOKENS))
        messages.append({"role": "assistant", "content": replies[-1].text})
    return {"first_ms": _median_first_ms(replies[1:])}


async def busy_machine(server: Endpoint) -> Figures:
    """Four people ask at once while another program takes all of a core that it can get."""
    with _busy_program():
        return _flow(await _crowd(server, 4, 1, SHORT_WORDS, []))


FLOW = {"tokens_per_s": "tokens/s", "first_ms": "first token, ms"}
SCENARIOS = (
    Scenario("one-stream", "1 stream", {**FLOW, "written_per_s": "tokens/s after the first"}, one_stream),
    Scenario("eight-streams", "8 streams, short prompts", FLOW, eight_streams),
    Scenario("shared-prompt", "8 streams, one 600-word system prompt", FLOW, shared_system_prompt),
    Scenario(
        "long-prompt",
        "a 1,500-word prompt beside 3 streams",
        {"worst_gap_ms": "worst gap, ms", "first_ms": "its first token, ms", "total_s": "total, s"},
        long_prompt,
    ),
    Scenario("later-turns", "turns 2 to 4 of a conversation", {"first_ms": "first token, ms"}, later_turns),
    Scenario("busy-machine", "4 streams beside a busy program", FLOW, busy_machine),
)


async def _crowd(
    server: Endpoint, num_people: int, num_questions: int, num_words: int, begin: list[Message]
) -> list[Reply]:
    async def talk(person: int) -> list[Reply]:
        return [
            await ask(server, person, [*begin, _question(num_words)], NUM_TOKENS)
            for _ in range(num_questions)
        ]

    talks = await asyncio.gather(*(talk(person) for person in range(num_people)))
    return [reply for replies in talks for reply in replies]


def _flow(replies: list[Reply]) -> Figures:
    return {"tokens_per_s": _throughput(replies), "first_ms": _median_first_ms(replies)}


def _throughput(replies: list[Reply]) -> float:
    elapsed_s = max(reply.ended_at_s for reply in replies) - min(reply.asked_at_s for reply in replies)
    return sum(reply.num_tokens for reply in replies) / elapsed_s


def _median_first_ms(replies: Iterable[Reply]) -> float:
    return statistics.median(reply.first_ms for reply in replies)


def _question(num_words: int) -> Message:
    return {"role": "user", "content": _text(num_words)}


def _text(num_words: int) -> str:
    return " ".join(random.choices(WORDS, k=num_words))


@contextmanager
def _busy_program() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()
