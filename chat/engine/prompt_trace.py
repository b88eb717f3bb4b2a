"""Tells where each stretch of a rendered prompt comes from, and how many tokens it has. Knows no library.

The prompt is rendered once more with marks around the parts, inside of their outer white space, which many templates
trim; and, with tools, a third time without them: what then is missing between the same parts are the tools.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chat.domain.messages import ChatMessage, Part, ReasoningPart, TextPart, ToolResult, ToolSpec

Origin = Literal["part", "tools", "template", "prefix"]
Render = Callable[[Sequence[ChatMessage], Sequence[ToolSpec]], str]

# Of the private use area: a text that holds them itself only makes the trace coarser.
_OPEN, _CLOSE, _END = "\ue0f0", "\ue0f1", "\ue0f2"
_MARK = re.compile(f"([{_OPEN}{_CLOSE}])(\\d+),(\\d+){_END}")


@dataclass(frozen=True, slots=True)
class PromptSpan:
    """A stretch of a prompt. For "part" it is a part of a message: `message` and `part` count from 0."""

    origin: Origin
    text: str
    num_tokens: int = 0
    message: int | None = None
    part: int | None = None


def spans_of(messages: Sequence[ChatMessage], tools: Sequence[ToolSpec], render: Render) -> list[PromptSpan]:
    """The rendered prompt in stretches, without counts; one of "template" where the template defies marks.

    Raises: TemplateFailed.
    """
    prompt = render(messages, tools)
    marked_messages = [_marked(message, number) for number, message in enumerate(messages)]
    spans = list(_split(render(marked_messages, tools)))
    if "".join(span.text for span in spans) != prompt:
        return [PromptSpan("template", prompt)]
    if tools:
        spans = _with_tools(spans, list(_split(render(marked_messages, ()))))
    return [span for span in spans if span.text]


def counted(spans: Sequence[PromptSpan], pieces: Sequence[bytes]) -> tuple[PromptSpan, ...]:
    """The spans with their tokens: each token belongs to the span in which it begins. `pieces` are the tokens' bytes.

    What tokenizers put in front (a begin token, a blank) counts with the first span.
    """
    lengths = [len(span.text.encode("utf-8", "replace")) for span in spans]
    num_in_front = sum(map(len, pieces)) - sum(lengths)
    counts = [0] * len(spans)
    at, span, end = -max(num_in_front, 0), 0, lengths[0] if lengths else 0
    for piece in pieces:
        while at >= end and span + 1 < len(spans):
            span += 1
            end += lengths[span]
        if counts:
            counts[span] += 1
        at += len(piece)
    return tuple(replace(each, num_tokens=count) for each, count in zip(spans, counts, strict=True))


def _marked(message: ChatMessage, number: int) -> ChatMessage:
    parts = tuple(_marked_part(part, f"{number},{at}{_END}") for at, part in enumerate(message.parts))
    return replace(message, parts=parts)


def _marked_part(part: Part, place: str) -> Part:
    match part:
        case TextPart() | ReasoningPart():
            return replace(part, text=_between_marks(part.text, place))
        case ToolResult():
            return replace(part, content=_between_marks(part.content, place))
    return part


def _between_marks(text: str, place: str) -> str:
    core = text.strip()
    if not core:
        return text
    start = text.index(core)
    return f"{text[:start]}{_OPEN}{place}{core}{_CLOSE}{place}{text[start + len(core) :]}"


def _split(marked: str) -> Iterator[PromptSpan]:
    """Alternates between template and parts, and begins and ends with template."""
    at = 0
    here = PromptSpan("template", "")
    for mark in _MARK.finditer(marked):
        yield replace(here, text=marked[at : mark.start()])
        is_open = mark[1] == _OPEN
        here = (
            PromptSpan("part", "", 0, int(mark[2]), int(mark[3])) if is_open else PromptSpan("template", "")
        )
        at = mark.end()
    yield replace(here, text=marked[at:])


def _with_tools(spans: list[PromptSpan], bare: list[PromptSpan]) -> list[PromptSpan]:
    """`bare` is the same prompt without tools. Where the parts stand otherwise there, nothing can be told."""
    if [(span.message, span.part) for span in spans] != [(span.message, span.part) for span in bare]:
        return spans
    told: list[PromptSpan] = []
    for span, other in zip(spans, bare, strict=True):
        told += _inserted(span.text, other.text) if span.origin == "template" else [span]
    return told


def _inserted(text: str, bare: str) -> list[PromptSpan]:
    start = _num_common(text, bare)
    end = min(_num_common(text[::-1], bare[::-1]), len(text) - start, len(bare) - start)
    cut = len(text) - end
    return [
        PromptSpan("template", text[:start]),
        PromptSpan("tools", text[start:cut]),
        PromptSpan("template", text[cut:]),
    ]


def _num_common(left: str, right: str) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
