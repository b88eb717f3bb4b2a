"""Writes the training text: conversations mixed from all skills, the same for the same seed.

python -m starter.corpus --seed 1 --count 5            shows samples as text
python -m starter.corpus --seed 1 --count 5 --jsonl    prints them as JSON lines
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeVar

from starter import tools, words
from starter.chat_format import segments
from starter.conversation import Conversation, Exchange, Turn, assistant, user
from starter.draw import Draw
from starter.skills.arithmetic import arithmetic, without_calculator
from starter.skills.clock import clock, without_clock, zone_of_city
from starter.skills.copying import copying
from starter.skills.facts import facts
from starter.skills.limits import limits
from starter.skills.markdown import markdown
from starter.skills.memory import TOPICS, memory, not_told
from starter.skills.parley_help import parley_help
from starter.skills.passages import ask, ask_with, some_passages
from starter.skills.small_talk import goodbye, greeting, small_talk
from starter.skills.tales import long_tale, tale
from starter.tables.reader import read_sections

PARLEY_PROMPT = "You are Parley's assistant. Answer briefly and truthfully."
_OTHER_PROMPTS = read_sections("system_prompts.txt")["any"].answers

K = TypeVar("K")
Skill = Callable[[Draw], Exchange]


@dataclass(frozen=True, slots=True)
class Offer:
    """Which of the built-in tools a conversation has."""

    calculator: bool
    clock: bool

    def schemas(self, draw: Draw) -> tuple[str, ...]:
        """The tools as the chat template shows them."""
        return (
            tools.offered(draw, calculator=self.calculator, clock=self.clock)
            if self.calculator or self.clock
            else ()
        )


_OFFERS = (
    (Offer(False, False), 0.45),
    (Offer(True, True), 0.4),
    (Offer(True, False), 0.1),
    (Offer(False, True), 0.05),
)


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the skills among the exchanges, without and with a calculator; and of talks about passages."""

    shares: dict[str, float]
    tool_shares: dict[str, float]
    passages: float


_TALK = {
    "facts": 0.3,
    "help": 0.14,
    "small_talk": 0.12,
    "copying": 0.2,
    "markdown": 0.1,
    "limits": 0.08,
    "memory": 0.08,
    "calculator": 0.03,
    "clock": 0.02,
    "zone": 0.04,
    "tale": 0.02,
    "not_told": 0.01,
}
# Copying is the hard skill under passages, sums and memory, and is learnt last: "copying" gives it half of the samples,
# "talk" a third, and learns everything else with fewer tokens.
MIXES = {
    "talk": Mix(_TALK, _TALK | {"calculator": 0.36, "clock": 0.24}, 0.2),
    "copying": Mix(
        _TALK | {"copying": 0.3, "memory": 0.12},
        _TALK | {"calculator": 0.3, "clock": 0.12, "copying": 0.15},
        0.34,
    ),
}


def conversation(draw: Draw, max_exchanges: int, mix: Mix) -> Conversation:
    """One sample: passages alone, or a talk of several exchanges."""
    if draw.chance(mix.passages):
        return _with_passages(draw, max_exchanges)
    return _talk(draw, max_exchanges, mix)


def conversations(
    seed: int | str, max_exchanges: int = 4, mix: Mix = MIXES["copying"]
) -> Iterator[Conversation]:
    """An endless stream of samples."""
    draw = Draw(seed)
    while True:
        yield conversation(draw, max_exchanges, mix)


def system_prompt(draw: Draw) -> str | None:
    """The prompt of the product, some other, or none."""
    roll = draw.rng.random()
    if roll < 0.35:
        return None
    if roll < 0.75:
        return PARLEY_PROMPT
    return draw.expand(draw.choice(_OTHER_PROMPTS), name=words.made_up(draw), other=words.first_name(draw))


def weave(draw: Draw, threads: list[list[Exchange]]) -> tuple[Turn, ...]:
    """The exchanges of all threads in random order, each thread's own in sequence."""
    order = [thread for thread in threads for _ in thread]
    draw.rng.shuffle(order)
    queues = {id(thread): iter(thread) for thread in threads}
    return tuple(turn for thread in order for turn in next(queues[id(thread)]).turns)


def _talk(draw: Draw, max_exchanges: int, mix: Mix) -> Conversation:
    offer = _weighted(draw, dict(_OFFERS))
    shares = mix.tool_shares if offer.calculator else mix.shares
    # Tools cost some 200 tokens of the window, so that conversations with them hold more questions.
    num_exchanges = (
        draw.between(2, max_exchanges + 2)
        if offer.calculator or offer.clock
        else draw.between(1, max_exchanges)
    )
    topics = draw.sample(TOPICS, len(TOPICS))
    threads: list[list[Exchange]] = []
    while sum(map(len, threads)) < num_exchanges:
        skill = _weighted(draw, shares)
        if skill == "memory" and topics:
            threads.append(list(memory(draw, topics.pop())))
        elif skill == "not_told":
            if not threads:
                return Conversation(not_told(draw).turns, system_prompt(draw), offer.schemas(draw))
        else:
            threads.append([_exchange(draw, skill, offer)])
    turns = weave(draw, threads)
    if draw.chance(0.12):
        turns = greeting(draw).turns + turns
    if draw.chance(0.12):
        turns += goodbye(draw).turns
    return Conversation(turns, system_prompt(draw), offer.schemas(draw))


def _exchange(draw: Draw, skill: str, offer: Offer) -> Exchange:
    if skill == "calculator":
        return arithmetic(draw) if offer.calculator else without_calculator(draw)
    if skill == "clock":
        return clock(draw) if offer.clock else without_clock(draw)
    if skill == "tale":
        return draw.choice((tale, tale, long_tale))(draw)
    return _PLAIN_SKILLS[skill](draw)


_PLAIN_SKILLS: dict[str, Skill] = {
    "copying": copying,
    "facts": facts,
    "small_talk": small_talk,
    "help": parley_help,
    "limits": limits,
    "markdown": markdown,
    "memory": facts,
    "zone": zone_of_city,
}


def _with_passages(draw: Draw, max_exchanges: int) -> Conversation:
    """Passages in the first question's turn or in the system turn, and several questions on them."""
    offer = _weighted(draw, dict(_OFFERS)) if draw.chance(0.12) else Offer(False, False)
    system = system_prompt(draw)
    given = some_passages(draw)
    in_system_turn = draw.chance(0.4)
    turns: list[Turn] = [] if in_system_turn else list(ask_with(draw, given).turns)
    for _ in range(draw.between(1, max_exchanges + 1)):
        question = ask(draw, given)
        turns += (user(question.text), assistant(question.answer))
    if in_system_turn:
        system = f"{system}\n\n{given.block}" if system else given.block
    return Conversation(tuple(turns), system, offer.schemas(draw))


def _weighted(draw: Draw, shares: dict[K, float]) -> K:
    return draw.rng.choices(list(shares), list(shares.values()))[0]


def main() -> None:
    """Prints samples."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--jsonl", action="store_true")
    options = parser.parse_args()
    stream = conversations(options.seed)
    for _ in range(options.count):
        sample = next(stream)
        if options.jsonl:
            print(json.dumps(asdict(sample), ensure_ascii=False))
        else:
            print("".join(segment.text for segment in segments(sample)), end="\n\n")


if __name__ == "__main__":
    main()
