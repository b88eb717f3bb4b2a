"""From a run to what the model is asked: the branch up to the reply, the system prompt, the tools, trimmed to fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from chat.domain.messages import (
    ChatMessage,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.pieces import Engine
from chat.models import Message, Run

MIN_RESULT_CHARS = 200
# Far more than any model takes.
MAX_PICTURE_TOKENS = 100_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request that fits, and how many of the oldest messages were left out for that."""

    request: GenerationRequest
    num_trimmed: int


def history_of(run: Run) -> list[Message]:
    """The messages before the run's reply, oldest first."""
    conversation = run.conversation
    ids = conversation.path_ids(to=run.reply.parent_id)
    return conversation.messages_by_ids(ids)


def build_request(
    history: Sequence[Message],
    *,
    system_prompt: str,
    params: SamplingParams,
    tools: tuple[ToolSpec, ...],
    scope: str,
) -> GenerationRequest:
    """The whole conversation as the model sees it."""
    messages = [ChatMessage.of("system", system_prompt)] if system_prompt else []
    for message in history:
        messages += chat_messages(
            "user" if message.role == Message.Role.USER else "assistant", message.content
        )
    return GenerationRequest(tuple(messages), params, tools, scope)


def going_on(request: GenerationRequest, reply: Sequence[Part]) -> GenerationRequest:
    """The request after the `reply` written so far."""
    done, prefix = split_reply(reply)
    messages = request.messages + tuple(chat_messages("assistant", done))
    return replace(request, messages=messages, reply_prefix=prefix)


def fit(request: GenerationRequest, engine: Engine) -> Prompt:
    """Leave out the oldest messages until prompt and answer fit; the system prompt and the last question stay.

    Tool results are cut where they would not fit even so.
    The engine is asked for exact counts only when the text could be too long at all: a token is at least one byte.
    """
    context = engine.status().context_tokens
    budget = context - min(request.params.max_tokens or context, context // 4)
    if _num_bytes(request) < budget or context == 0:
        return Prompt(request, 0)
    cuts = _possible_cuts(request.messages)
    request = _with_short_results(request, cuts[-1], engine, budget)
    low, high = 0, len(cuts) - 1
    while low < high:  # the first cut that fits; later ones only get shorter
        middle = (low + high) // 2
        if engine.count_tokens(_without(request, cuts[middle])) <= budget:
            high = middle
        else:
            low = middle + 1
    return Prompt(_without(request, cuts[low]), cuts[low])


def split_reply(parts: Sequence[Part]) -> tuple[list[Part], str]:
    """What the reply finished (up to its last tool result), and the raw text that it is in the middle of."""
    last_result = max((i for i, part in enumerate(parts) if isinstance(part, ToolResult)), default=-1)
    answered = {part.call_id for part in parts if isinstance(part, ToolResult)}
    done = [
        part
        for part in parts[: last_result + 1]
        if not (isinstance(part, ToolCall) and part.id not in answered)  # died in the middle of the call
    ]
    return done, "".join(_raw(part) for part in parts[last_result + 1 :])


def chat_messages(role: Role, parts: Sequence[Part]) -> list[ChatMessage]:
    """One stored message as the model's turns: tool results stand in turns of their own."""
    turns: list[ChatMessage] = []
    current: list[Part] = []
    for part in _in_call_order(parts):
        if isinstance(part, ToolResult):
            if current:
                turns.append(ChatMessage(role, tuple(current)))
                current = []
            turns.append(ChatMessage("tool", (part,)))
        elif not isinstance(part, ToolCall) or _has_result(part, parts):
            current.append(part)
    if current:
        turns.append(ChatMessage(role, tuple(current)))
    return turns


def _in_call_order(parts: Sequence[Part]) -> Iterator[Part]:
    """Results that follow one another in the order of their calls: they came in the order in which tools ended."""
    places = {part.id: place for place, part in enumerate(parts) if isinstance(part, ToolCall)}

    def place_of(part: Part) -> int:
        return places.get(part.call_id, 0) if isinstance(part, ToolResult) else 0

    for _, neighbours in groupby(parts, key=lambda part: isinstance(part, ToolResult)):
        yield from sorted(neighbours, key=place_of)


def _has_result(call: ToolCall, parts: Sequence[Part]) -> bool:
    return any(isinstance(part, ToolResult) and part.call_id == call.id for part in parts)


def _raw(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case ReasoningPart():
            return f"<think>\n{part.text}\n</think>\n\n"
        case _:
            return ""


def _num_bytes(request: GenerationRequest) -> int:
    """At least as many as there are tokens; pictures are not counted here, but surely too many."""
    return (
        MAX_PICTURE_TOKENS * sum(len(message.images) for message in request.messages)
        + len(repr(request.messages).encode())
        + len(repr(request.tools).encode())
        + len(request.reply_prefix.encode())
    )


def _possible_cuts(messages: Sequence[ChatMessage]) -> list[int]:
    """How many messages after the system prompt may be left out: what remains must begin with a question."""
    start = _num_system(messages)
    return [i - start for i in range(start, len(messages)) if messages[i].role == "user"] or [0]


def _without(request: GenerationRequest, num_messages: int) -> GenerationRequest:
    start = _num_system(request.messages)
    return replace(request, messages=request.messages[:start] + request.messages[start + num_messages :])


def _with_short_results(
    request: GenerationRequest, num_left_out: int, engine: Engine, budget: int
) -> GenerationRequest:
    """The request with its results cut until they fit, when `num_left_out` messages are left out."""
    parts = [part for message in request.messages for part in message.parts]
    max_chars = max((len(part.content) for part in parts if isinstance(part, ToolResult)), default=0)
    fitted = request
    while max_chars > MIN_RESULT_CHARS and engine.count_tokens(_without(fitted, num_left_out)) > budget:
        max_chars //= 2
        fitted = replace(request, messages=tuple(_with_cuts(m, max_chars) for m in request.messages))
    return fitted


def _with_cuts(message: ChatMessage, max_chars: int) -> ChatMessage:
    return replace(message, parts=tuple(_cut(part, max_chars) for part in message.parts))


def _cut(part: Part, max_chars: int) -> Part:
    if not isinstance(part, ToolResult) or len(part.content) <= max_chars:
        return part
    note = f"\n[cut: too long to read, it has {len(part.content):,} characters]"
    return replace(part, content=part.content[:max_chars] + note)


def _num_system(messages: Sequence[ChatMessage]) -> int:
    return 1 if messages and messages[0].role == "system" else 0
