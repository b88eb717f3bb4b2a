"""What a sample is made of: turns, tool calls, exchanges and whole conversations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one tool, as the assistant writes it."""

    name: str
    arguments: dict[str, str]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; `call` is set only when an assistant calls a tool."""

    role: str
    text: str = ""
    call: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question with everything up to its answer.

    `wanted` are regular expressions that a right answer matches, all of them, in any case of letters.
    """

    turns: tuple[Turn, ...]
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole sample: system prompt, the tools on offer (JSON schemas) and the turns."""

    turns: tuple[Turn, ...]
    system: str | None = None
    tools: tuple[str, ...] = ()


def user(text: str) -> Turn:
    """A turn of the person."""
    return Turn("user", text)


def assistant(text: str) -> Turn:
    """A plain answer."""
    return Turn("assistant", text)


def calling(name: str, **arguments: str) -> Turn:
    """An assistant's turn that calls one tool."""
    return Turn("assistant", call=ToolCall(name, arguments))


def tool_result(text: str) -> Turn:
    """What the tool gave back."""
    return Turn("tool", text)


def plain(question: str, answer: str, wanted: tuple[str, ...] = ()) -> Exchange:
    """One question, one answer."""
    return Exchange((user(question), assistant(answer)), wanted)
