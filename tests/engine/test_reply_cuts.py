"""However a reply is cut into pieces, the same comes of it; nothing is lost, and no flood of marks takes long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.engine.families import FAMILIES
from tests.engine.test_tool_calls import CALL, CLOSE, OPEN, SEPARATOR, cut, parse

FRAGMENTS = (
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]", "[ARGS]", "[THINK]",
    "[/THINK]", OPEN, CLOSE, SEPARATOR, "<｜tool▁calls▁begin｜>", "<|channel|>", "analysis", "final", "<|message|>",
    "<|end|>", "<|start|>", "assistant", " to=functions.look", "<|call|>", "<function=f>", "</function>",
    "<parameter=p>", "</parameter>", CALL, f"[{CALL}]", '{"name": "f", "parameters": {}}', '{"', "{", "}", "[", "]",
    "look", ";", "\n", "  ", "\n\n", "<", "x", "é🧡", "\\", '"', "function\n```json\n{}\n```", "to", "\u2028",
    "<|tool_call>", "<tool_call|>", "call:f{a:1}", "<|tool_call_start|>", "[f(a='x')]", "<|tool_call_end|>", ">>>",
    ">>>all\n", "f\n{}", "<|tool_call_begin|>", "functions.f:0", "<|tool_call_argument_begin|>", "<|tool_call_end|>",
    "<arg_key>a</arg_key>", "<arg_value>1</arg_value>", "functools[", "<minimax:tool_call>", '<invoke name="f">',
    "</invoke>", "</minimax:tool_call>", "<seed:tool_call>", "</seed:tool_call>", "<|message_sep|>", "<tool_calls>",
    "</tool_calls>", "<|tool_call|>", '<function name="f">', '<param name="a">', "</param>", "[BEGIN FINAL RESPONSE]",
)  # fmt: skip
junk = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)
cuts = st.lists(st.integers(0, 300), max_size=12)
families = st.sampled_from(FAMILIES)


@given(family=families, reply=junk, places=cuts, is_thinking=st.booleans())
@settings(max_examples=1500, deadline=None)
def test_any_cuts_give_the_same_parts(family: str, reply: str, places: list[int], is_thinking: bool) -> None:
    assert parse(family, *cut(reply, places), is_thinking=is_thinking) == parse(
        family, reply, is_thinking=is_thinking
    )


@given(family=families, reply=junk)
@settings(max_examples=500, deadline=None)
def test_character_by_character_gives_the_same_parts(family: str, reply: str) -> None:
    assert parse(family, *reply) == parse(family, reply)


@given(family=families, reply=st.text(), is_thinking=st.booleans())
def test_words_without_markers_lose_nothing_but_space_in_front(
    family: str, reply: str, is_thinking: bool
) -> None:
    parts = parse(family, reply, is_thinking=is_thinking)

    assert "".join(text for _, text in parts) in {reply.lstrip(" \t\r\n"), ""} or family == "gpt-oss"
    assert "".join("".join(text for _, text in parts).split()) == "".join(reply.split())


@given(body=st.text('{}[]":,abc1 \\n', max_size=60))
@settings(max_examples=500)
def test_whatever_stands_in_a_call_is_a_call_or_is_shown(body: str) -> None:
    parts = parse("hermes", f"<tool_call>{body}</tool_call>")

    assert parts[0][0] == "call" or parts == [("text", f"<tool_call>{body}</tool_call>")]


MARKS = (
    "<tool_call>",
    "[TOOL_CALLS]",
    OPEN,
    '{"name',
    "<|channel|>",
    "<|start|>",
    " \n",
    "<think>",
    "</tool_call>",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_flood_of_marks_ends_soon(family: str) -> None:
    start = time.process_time()

    for mark in MARKS:
        reply = mark * (20_000 // len(mark))
        parse(family, *cut(reply, range(0, len(reply), 50)))
        parse(family, *cut('<tool_call>{"' + reply, range(0, len(reply), 50)))

    assert time.process_time() - start < 15.0
