"""Conversations as text: ChatML turns, marked as learnt or given. Says the same as `chat_template.jinja`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from starter.conversation import Conversation, Turn

TURN_START, TURN_END, TEXT_END = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
MARKS = ("<tool_call>", "</tool_call>", "<tools>", "</tools>", "<tool_response>", "</tool_response>")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text; `is_answer` when the model is to write it itself."""

    text: str
    is_answer: bool


def segments(conversation: Conversation) -> Iterator[Segment]:
    """The conversation from its first to its last token."""
    system = system_text(conversation.system, conversation.tools)
    if system:
        yield Segment(f"{TURN_START}system\n{system}{TURN_END}\n", False)
    for turn in conversation.turns:
        if turn.role == "assistant":
            yield Segment(f"{TURN_START}assistant\n", False)
            yield Segment(f"{answer_text(turn)}{TURN_END}", True)
            yield Segment("\n", False)
        elif turn.role == "tool":
            yield Segment(
                f"{TURN_START}user\n<tool_response>\n{turn.text}\n</tool_response>{TURN_END}\n", False
            )
        else:
            yield Segment(f"{TURN_START}{turn.role}\n{turn.text}{TURN_END}\n", False)


def system_text(system: str | None, tools: Sequence[str]) -> str:
    """The system turn: the prompt, then the tools with their instruction."""
    offered = (
        "# Tools\n\nYou may call these functions:\n<tools>"
        + "".join(f"\n{tool}" for tool in tools)
        + "\n</tools>\n\nTo call one, answer with its name and arguments only:\n<tool_call>\n"
        '{"name": <name>, "arguments": <arguments>}\n</tool_call>'
    )
    return "\n\n".join(part for part in (system, offered if tools else "") if part)


def answer_text(turn: Turn) -> str:
    """What the assistant writes: a tool call or plain text."""
    if turn.call is None:
        return turn.text
    arguments = json.dumps(turn.call.arguments, ensure_ascii=False)
    return f'<tool_call>\n{{"name": "{turn.call.name}", "arguments": {arguments}}}\n</tool_call>'
