"""Whatever the grammar of a family's calls lets through, its parser reads as calls that fit the tools."""

from __future__ import annotations

import random

import pytest

from chat.domain.messages import ToolSpec
from chat.engine.call_format import CallFormat, call_grammar
from chat.engine.channel_parser import ChannelStyle
from chat.engine.families import STYLES
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.pieces import CallPiece
from chat.engine.tool_calls import ToolCallParser
from tests.engine.json_walk import ALPHABET
from tests.engine.tool_specs import TOOLS, keeps_to

MAX_CHARS = 3000
FORMS = [
    (family, form)
    for family, style in STYLES.items()
    for form in ((style.call,) if isinstance(style, ChannelStyle) else (*style.calls[:1], style.bare))
    if form and form.is_guarded
]
# What stands in front of a call where its mark alone would not open one.
BEFORE = {"gpt-oss": "<|channel|>commentary ", "muse": " to=say<|message|>", "functionary-3.2": ""}
HERMES = STYLES["hermes"]


def walk(form: CallFormat, chance: random.Random, tools: tuple[ToolSpec, ...] = TOOLS) -> str:
    """A random text that the grammar takes, with the mark at its end or without."""
    grammar = call_grammar(form, tools)
    assert grammar is not None
    way, text = GrammarMatcher(grammar), ""
    wants_close = bool(form.close) and chance.random() < 0.7
    # Marks would hardly ever come letter by letter.
    letters = sorted({*ALPHABET, *"".join(form.marks)})
    marks = [mark for mark in form.marks if mark]
    leaps = [*marks, *(f"\n{mark}" for mark in marks), '"', "}", "]", "'"]
    while not (way.may_end and (not wants_close or text.endswith(form.close))):
        assert len(text) < MAX_CHARS, text
        ways = leaps if chance.random() < 0.3 else letters
        text += step_of(way, ways, chance) or step_of(way, [*leaps, *letters], chance)
    return text


def step_of(way: GrammarMatcher, steps: list[str], chance: random.Random) -> str:
    """A random one that may follow, and is taken; "" when none may."""
    shuffled = chance.sample(steps, len(steps))
    return next((step for step in shuffled if way.accept(step.encode())), "")


@pytest.mark.parametrize(("family", "form"), FORMS, ids=[f"{family}-{form.open}" for family, form in FORMS])
@pytest.mark.parametrize("seed", range(4))
def test_random_calls_are_read_and_fit_their_tools(family: str, form: CallFormat, seed: int) -> None:
    written = walk(form, random.Random(seed))
    style = STYLES[family]
    lead = "" if isinstance(style, ChannelStyle) else style.lead
    parser = ToolCallParser(family, tools=TOOLS)

    reply = BEFORE.get(family, "") + form.open.removeprefix(lead) + written
    pieces = [*parser.feed(reply), *parser.finish()]

    assert pieces, reply
    assert all(isinstance(piece, CallPiece) and keeps_to(piece.call) for piece in pieces), (reply, pieces)


def test_a_tool_that_no_grammar_can_express_takes_any_object() -> None:
    tool = ToolSpec("odd", "", {"type": "object", "properties": {"a": {"type": "string", "pattern": "^x+$"}}})
    grammar = call_grammar(HERMES.calls[0], [tool, *TOOLS])  # type: ignore[union-attr]
    assert grammar is not None

    assert GrammarMatcher(grammar).accept(b'{"name": "odd", "arguments": {"b": [1, {}]}}')
    assert not GrammarMatcher(grammar).accept(b'{"name": "say", "arguments": {"b": 1')


def test_too_many_large_schemas_leave_only_the_names() -> None:
    tools = [
        ToolSpec(
            f"tool_{i}",
            "",
            {"properties": {f"p{j}": {"type": "string", "maxLength": 50 * i + j} for j in range(50)}},
        )
        for i in range(20)
    ]
    grammar = call_grammar(HERMES.calls[0], tools)  # type: ignore[union-attr]
    assert grammar is not None

    assert GrammarMatcher(grammar).accept(b'{"name": "tool_19", "arguments": {"x": 1}}')
    assert not GrammarMatcher(grammar).allows(b'{"name": "tool_20"')


def test_names_that_do_not_fit_either_leave_a_call_free() -> None:
    tools = [ToolSpec(f"tool_{i}_{'x' * 60}", "", {}) for i in range(2000)]

    assert call_grammar(HERMES.calls[0], tools) is None  # type: ignore[union-attr]
