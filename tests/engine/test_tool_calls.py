"""Replies taken apart: text, reasoning and calls of each family, in whatever pieces they come."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from chat.engine.marker_parser import MAX_CALL_CHARS
from chat.engine.pieces import CallPiece, Piece, ReasoningPiece, TextPiece
from chat.engine.tool_calls import ToolCallParser

CALL = '{"name": "look", "arguments": {"place": "Röm"}}'
LOOK = ("look", {"place": "Röm"})
OPEN, CLOSE, SEPARATOR = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>"

Part = tuple[str, Any]


def parts_of(pieces: Iterable[Piece]) -> list[Part]:
    """Text and reasoning merged with their neighbours, calls by name and arguments."""
    parts: list[Part] = []
    for piece in pieces:
        match piece:
            case CallPiece(call):
                parts.append(("call", (call.name, call.arguments)))
            case TextPiece(text) | ReasoningPiece(text):
                kind = "text" if isinstance(piece, TextPiece) else "reasoning"
                assert text
                if parts and parts[-1][0] == kind:
                    text = parts.pop()[1] + text
                parts.append((kind, text))
            case _:
                pytest.fail(f"unexpected {piece}")
    return parts


def parse(family: str, *fragments: str, is_thinking: bool = False) -> list[Part]:
    parser = ToolCallParser(family, is_thinking)
    pieces = [piece for fragment in fragments for piece in parser.feed(fragment)]
    return parts_of([*pieces, *parser.finish()])


def cut(text: str, places: Sequence[int]) -> list[str]:
    edges = [0, *sorted(place for place in places if place <= len(text)), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


REPLIES: dict[str, tuple[str, str, list[Part]]] = {
    "plain": ("hermes", "Hello **you**.\n\nBye.", [("text", "Hello **you**.\n\nBye.")]),
    "hermes call": ("hermes", f"<tool_call>\n{CALL}\n</tool_call>", [("call", LOOK)]),
    "hermes words around calls": (
        "hermes",
        f"I look.\n\n<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>\n\nDone.",
        [("text", "I look."), ("call", LOOK), ("call", LOOK), ("text", "Done.")],
    ),
    "hermes list of calls": ("hermes", f"<tool_call>[{CALL}, {CALL}]</tool_call>", [("call", LOOK)] * 2),
    "hermes call at the end without its mark": ("hermes", f"<tool_call>{CALL}", [("call", LOOK)]),
    "hermes arguments as text": (
        "hermes",
        '<tool_call>{"name": "look", "arguments": "{\\"place\\": \\"Röm\\"}"}</tool_call>',
        [("call", LOOK)],
    ),
    "hermes call without arguments": (
        "hermes",
        '<tool_call>{"name": "now"}</tool_call>',
        [("call", ("now", {}))],
    ),
    "hermes line end inside a text": (
        "hermes",
        '<tool_call>{"name": "say", "arguments": {"text": "a\nb"}}</tool_call>',
        [("call", ("say", {"text": "a\nb"}))],
    ),
    "thinking": (
        "hermes",
        "<think>\nHm, <tool_call>?\n\n</think>\n\nYes.",
        [("reasoning", "Hm, <tool_call>?"), ("text", "Yes.")],
    ),
    "thinking, then a call": (
        "hermes",
        f"<think>Hm.</think>\n<tool_call>{CALL}</tool_call>",
        [("reasoning", "Hm."), ("call", LOOK)],
    ),
    "thinking about nothing": ("hermes", "<think>\n\n</think>\n\nYes.", [("text", "Yes.")]),
    "thinking without end": ("hermes", "<think>Hm, </thi", [("reasoning", "Hm, </thi")]),
    "talk about a thinking mark": ("hermes", "Write <think> first.", [("text", "Write <think> first.")]),
    "qwen coder": (
        "hermes",
        "<tool_call>\n<function=write>\n<parameter=path>\na b.txt\n</parameter>\n<parameter=lines>\n[1, 2]\n"
        "</parameter>\n</function>\n</tool_call>",
        [("call", ("write", {"path": "a b.txt", "lines": [1, 2]}))],
    ),
    "llama bare": ("llama3", '{"name": "look", "parameters": {"place": "Röm"}}', [("call", LOOK)]),
    "llama two bare": ("llama3", f"{CALL}; {CALL}", [("call", LOOK)] * 2),
    "llama python tag": ("llama3", f"<|python_tag|>{CALL}; {CALL}", [("call", LOOK)] * 2),
    "llama answers in JSON": (
        "llama3",
        '{"city": "Rome", "size": {"km": 1}} is it.',
        [("text", '{"city": "Rome", "size": {"km": 1}} is it.')],
    ),
    "llama answers in JSON with a name": ("llama3", '{"name": "Bo"}\n', [("text", '{"name": "Bo"}\n')]),
    "llama braces in a text": (
        "llama3",
        '{"name": "say", "parameters": {"text": "}\\"}{"}} ok',
        [("call", ("say", {"text": '}"}{'})), ("text", "ok")],
    ),
    "llama code behind the tag": ("llama3", "<|python_tag|>print(1)", [("text", "<|python_tag|>print(1)")]),
    "mistral list": ("mistral", f"Well.\n[TOOL_CALLS] [{CALL}]", [("text", "Well."), ("call", LOOK)]),
    "mistral pairs": (
        "mistral",
        '[TOOL_CALLS]look[ARGS]{"place": "Röm"}[TOOL_CALLS]look[CALL_ID]ab[ARGS]{"place": "Röm"}',
        [("call", LOOK)] * 2,
    ),
    "mistral words behind": ("mistral", f"[TOOL_CALLS][{CALL}]\nSo.", [("call", LOOK), ("text", "So.")]),
    "magistral thinks": (
        "magistral",
        "[THINK]Hm.[/THINK]Yes.",
        [("reasoning", "Hm."), ("text", "Yes.")],
    ),
    "deepseek R1": (
        "deepseek",
        f"<think>\nHm.\n</think>\n\n<｜tool▁calls▁begin｜>{OPEN}function{SEPARATOR}look\n```json\n"
        f'{{"place": "Röm"}}\n```{CLOSE}\n{OPEN}function{SEPARATOR}now\n```json\n{{}}\n```{CLOSE}<｜tool▁calls▁end｜>',
        [("reasoning", "Hm."), ("call", LOOK), ("call", ("now", {}))],
    ),
    "deepseek V3.1": (
        "deepseek",
        f'Ok.<｜tool▁calls▁begin｜>{OPEN}look{SEPARATOR}{{"place": "Röm"}}{CLOSE}<｜tool▁calls▁end｜>',
        [("text", "Ok."), ("call", LOOK)],
    ),
    "gpt-oss": (
        "gpt-oss",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes, <|no|>.",
        [("reasoning", "Hm."), ("text", "Yes, <|no|>.")],
    ),
    "gpt-oss call": (
        "gpt-oss",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
        '<|start|>assistant<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"place": "Röm"}',
        [("reasoning", "Hm."), ("text", "I look."), ("call", LOOK)],
    ),
    "gpt-oss call with the name before the channel": (
        "gpt-oss",
        ' to=functions.look<|channel|>commentary json<|message|>{"place": "Röm"}<|call|>',
        [("call", LOOK)],
    ),
    "gpt-oss preamble and answer": (
        "gpt-oss",
        "<|channel|>commentary<|message|>First.<|end|><|start|>assistant<|channel|>final<|message|>Second.",
        [("text", "First.\n\nSecond.")],
    ),
    "gpt-oss without channels": ("gpt-oss", "total words", [("text", "total words")]),
    "gpt-oss broken arguments": (
        "gpt-oss",
        "<|channel|>commentary to=functions.look<|message|>{place: Röm}<|call|>",
        [("text", "{place: Röm}")],
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_taken_apart(name: str) -> None:
    family, reply, parts = REPLIES[name]

    assert parse(family, reply) == parts


@pytest.mark.parametrize("name", REPLIES)
def test_every_cut_in_two_and_every_character_alone_give_the_same(name: str) -> None:
    family, reply, parts = REPLIES[name]

    assert parse(family, *reply) == parts
    for place in range(len(reply)):
        assert parse(family, reply[:place], reply[place:]) == parts


MALFORMED = {
    "no JSON": "<tool_call>look at Röm</tool_call>",
    "cut off": '<tool_call>{"name": "look", "argu',
    "no name": '<tool_call>{"arguments": {}}</tool_call>',
    "name is a number": '<tool_call>{"name": 1, "arguments": {}}</tool_call>',
    "name of two lines": '<tool_call>{"name": "a\\nb", "arguments": {}}</tool_call>',
    "arguments are a list": '<tool_call>{"name": "look", "arguments": [1]}</tool_call>',
    "arguments are words": '<tool_call>{"name": "look", "arguments": "Röm"}</tool_call>',
    "not a number": '<tool_call>{"name": "look", "arguments": {"x": NaN}}</tool_call>',
    "half a surrogate pair": '<tool_call>{"name": "look", "arguments": {"x": "\\ud800"}}</tool_call>',
    "nested without end": "<tool_call>" + '{"a":' * 5000 + "</tool_call>",
    "one good, one bad": f"<tool_call>[{CALL}, 1]</tool_call>",
    "open tags": "<tool_call><function=look><parameter=place>Röm</function></tool_call>",
    "nothing": "<tool_call></tool_call>",
    "end alone": "</tool_call> and </think>",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_call_is_text(name: str) -> None:
    assert parse("hermes", MALFORMED[name]) == [("text", MALFORMED[name])]


@pytest.mark.parametrize(
    ("family", "reply"),
    [
        ("mistral", "[TOOL_CALLS]look at Röm"),
        ("mistral", f"[TOOL_CALLS][{CALL}, 1]"),
        ("mistral", "[TOOL_CALLS]look[ARGS]{place}"),
        ("llama3", '{"name": "look", "parameters": {"place": "Röm"}'),
        ("llama3", '{"name": 1, "parameters": {}}'),
        ("llama3", f"<|python_tag|>{CALL} or so"),
        ("deepseek", f"{OPEN}look{CLOSE}"),
        ("deepseek", f"{OPEN}look{SEPARATOR}{{{CLOSE}"),
    ],
)
def test_malformed_calls_of_other_families_are_text_too(family: str, reply: str) -> None:
    assert parse(family, reply) == [("text", reply)]


def test_a_good_call_behind_a_malformed_one_is_found() -> None:
    assert parse("hermes", f"<tool_call>no\n<tool_call>{CALL}</tool_call>") == [
        ("text", "<tool_call>no"),
        ("call", LOOK),
    ]


@pytest.mark.parametrize("length", [MAX_CALL_CHARS - 20, MAX_CALL_CHARS + 20])
def test_a_giant_call_is_text(length: int) -> None:
    body = json.dumps({"name": "say", "arguments": {"text": "x" * (length - 45)}}).ljust(length)
    reply = f"<tool_call>{body}</tool_call>"

    (part,) = parse("hermes", *cut(reply, range(0, len(reply), 1000)))

    assert part[0] == ("call" if length < MAX_CALL_CHARS else "text")
    assert part == parse("hermes", reply)[0]


def test_a_call_without_end_is_not_kept_for_ever() -> None:
    parser = ToolCallParser("mistral")
    parser.feed("[TOOL_CALLS]")
    shown = sum(
        len(piece.text)
        for _ in range(100)
        for piece in parser.feed("x" * 1000)
        if isinstance(piece, TextPiece)
    )

    assert shown > 90_000


def test_text_is_held_only_while_it_may_become_a_marker() -> None:
    parser = ToolCallParser("hermes")

    assert [parts_of(parser.feed(text)) for text in ("Hello <", "tool", "box> ", "you")] == [
        [("text", "Hello")],
        [],
        [("text", " <toolbox>")],
        [("text", " you")],
    ]


def test_json_that_cannot_be_a_call_is_not_held() -> None:
    assert parts_of(ToolCallParser("llama3").feed('{"city": "Ro')) == [("text", '{"city": "Ro')]


def test_a_prompt_that_opened_thinking_makes_the_first_words_reasoning() -> None:
    parts = parse("hermes", "Hm.\n", "</think>\n\nYes.", is_thinking=True)

    assert parts == [("reasoning", "Hm."), ("text", "Yes.")]


def test_it_knows_when_the_model_is_thinking() -> None:
    parser = ToolCallParser("hermes", True)
    states = [parser.is_thinking]
    for text in ("Hm.", "</think>", "Yes."):
        parser.feed(text)
        states.append(parser.is_thinking)

    assert states == [True, True, False, False]


def test_calls_have_ids_of_their_own() -> None:
    pieces = ToolCallParser("hermes").feed(f"<tool_call>{CALL}</tool_call>" * 3)

    assert len({piece.call.id for piece in pieces if isinstance(piece, CallPiece)}) == 3


def test_the_end_of_a_call_inside_of_a_text_is_text() -> None:
    call = '{"name": "say", "arguments": {"text": "</tool_call> \\" </tool_call>"}}'

    assert parse("hermes", f"<tool_call>{call}</tool_call>Done.") == [
        ("call", ("say", {"text": '</tool_call> " </tool_call>'})),
        ("text", "Done."),
    ]
