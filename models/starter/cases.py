"""The evaluation's cases: one category per skill, composed from held-out names, numbers and phrasings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starter.conversation import Conversation, Exchange, Turn, plain
from starter.corpus import PARLEY_PROMPT, weave
from starter.draw import Draw
from starter.skills.arithmetic import arithmetic, without_calculator
from starter.skills.clock import clock
from starter.skills.facts import facts
from starter.skills.limits import limits
from starter.skills.markdown import markdown
from starter.skills.memory import TOPICS, memory
from starter.skills.parley_help import parley_help
from starter.skills.passages import ask, make_passages, passages
from starter.skills.small_talk import small_talk
from starter.skills.tales import long_tale, tale
from starter.tools import offered

Skill = Callable[[Draw], Exchange]


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation so far, the exchange that the model is to carry out, and the tool that it must call."""

    before: Conversation
    exchange: Exchange
    tool: str | None = None


def _plain(skill: Skill) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        return Case(_before(draw, with_tools=draw.chance(0.4)), skill(draw))

    return make


def _with_tool(skill: Skill, tool: str) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        return Case(_before(draw, with_tools=True), skill(draw), tool)

    return make


def _memory(draw: Draw) -> Case:
    told, asked = memory(draw, draw.choice(TOPICS))
    before = _before(draw, with_tools=draw.chance(0.4))
    turns = weave(draw, [[told], *[[facts(draw)] for _ in range(draw.between(0, 2))]])
    return Case(Conversation(turns, before.system, before.tools), asked)


def _passages(draw: Draw) -> Case:
    if draw.chance(0.6):
        return Case(Conversation((), _system(draw)), passages(draw))
    given = make_passages(draw, draw.between(2, 5))
    question = ask(draw, given)
    system = _system(draw)
    before = Conversation((), f"{system}\n\n{given.block}" if system else given.block)
    return Case(before, plain(question.text, question.answer, question.wanted))


def _page(draw: Draw) -> Case:
    skill = draw.choice((markdown, markdown, markdown, tale, long_tale))
    return Case(_before(draw, with_tools=draw.chance(0.4)), skill(draw))


def _limits(draw: Draw) -> Case:
    if draw.chance(0.15):
        return Case(Conversation((), _system(draw)), without_calculator(draw))
    return Case(_before(draw, with_tools=draw.chance(0.4)), limits(draw))


CATEGORIES: dict[str, Callable[[Draw], Case]] = {
    "1 small talk": _plain(small_talk),
    "2 help on Parley": _plain(parley_help),
    "3 facts": _plain(facts),
    "4 calculator": _with_tool(arithmetic, "calculator"),
    "5 clock": _with_tool(clock, "clock"),
    "6 passages": _passages,
    "7 memory": _memory,
    "8 Markdown, tales": _page,
    "9 limits": _limits,
}


def _before(draw: Draw, *, with_tools: bool) -> Conversation:
    turns: tuple[Turn, ...] = ()
    for _ in range(draw.choice((0, 0, 1, 2))):
        turns += draw.choice((facts, small_talk))(draw).turns
    return Conversation(
        turns, _system(draw), offered(draw, calculator=True, clock=True) if with_tools else ()
    )


def _system(draw: Draw) -> str | None:
    return draw.choice((PARLEY_PROMPT, PARLEY_PROMPT, None))
