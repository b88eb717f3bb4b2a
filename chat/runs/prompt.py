"""From a run to what the model is asked: the branch up to the reply, the system prompt, the tools, trimmed to fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

    The engine is asked for exact counts only when the text could be too long at all: a token is at least one byte.
    """
    context = engine.status().context_tokens
    budget = context - min(request.params.max_tokens or context, context // 4)
    if _num_bytes(request) < budget or context == 0:
        return Prompt(request, 0)
    cuts = _possible_cuts(request.messages)
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
    for part in parts:
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
    return (
        len(repr(request.messages).encode())
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


def _num_system(messages: Sequence[ChatMessage]) -> int:
    return 1 if messages and messages[0].role == "system" else 0
