"""Parts of an answer in the shapes that clients read, the same in streams, whole replies and stored messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chat.api.prediction.chats import Turn
from chat.domain.events import Source, UsageReported
from chat.domain.messages import Part, ReasoningPart, ToolCall, ToolResult, text_of
from chat.domain.reply import ReplyBuilder

Json = dict[str, Any]


def whole_reply(turn: Turn, reply: ReplyBuilder) -> Json:
    """The answer to a request that asked for no stream."""
    found: Json = {
        "text": text_of(reply.parts),
        "question": turn.question,
        "chatId": turn.chat_id,
        "chatMessageId": turn.message_id,
        "sessionId": turn.session_id,
        "isStreamValid": True,
        "runId": turn.message_id,
    }
    parts: Json = {
        "form": turn.form,
        "usage": usage(reply.usage) if reply.usage else None,
        "usedTools": used_tools(reply.parts),
        "sourceDocuments": source_documents(reply.sources),
        "reasonContent": reasoning(reply.parts),
    }
    return found | {name: value for name, value in parts.items() if value}


def metadata(turn: Turn) -> Json:
    """What a stream tells of itself after the last token. Never a `text` key: some clients would print it."""
    found = {
        "chatId": turn.chat_id,
        "chatMessageId": turn.message_id,
        "question": turn.question,
        "sessionId": turn.session_id,
        "runId": turn.message_id,
    }
    return {name: value for name, value in found.items() if value}


def usage(report: UsageReported) -> Json:
    """Token counts."""
    return {
        "input_tokens": report.prompt_tokens,
        "output_tokens": report.completion_tokens,
        "total_tokens": report.prompt_tokens + report.completion_tokens,
        "input_token_details": {"cache_read": report.cached_tokens},
    }


def used_tools(parts: Iterable[Part]) -> list[Json]:
    """Each call with its outcome."""
    parts = list(parts)
    results = {part.call_id: part for part in parts if isinstance(part, ToolResult)}
    return [used_tool(part, results.get(part.id)) for part in parts if isinstance(part, ToolCall)]


def used_tool(call: ToolCall, result: ToolResult | None) -> Json:
    """A call; `toolOutput` is "" before the end and after a failure, which `error` tells."""
    tool: Json = {"tool": call.name, "toolInput": dict(call.arguments), "toolOutput": ""}
    if result is not None and result.is_error:
        return tool | {"error": result.content}
    return tool | ({"toolOutput": result.content} if result else {})


def source_documents(sources: Iterable[Source]) -> list[Json]:
    """The passages that the answer draws on."""
    return [
        {
            "pageContent": source.excerpt,
            "metadata": {
                "title": source.title,
                "source": source.title,
                "number": source.n,
                "docId": source.document_id,
                "loc": {"from": source.start, "to": source.end}
                | ({"pageNumber": source.page} if source.page is not None else {}),
                "score": source.score,
            },
            "id": source.document_id or str(source.n),
        }
        for source in sources
    ]


def reasoning(parts: Iterable[Part]) -> Json | None:
    """What the model thought, with whole seconds."""
    thoughts = [part for part in parts if isinstance(part, ReasoningPart)]
    if not thoughts:
        return None
    return {
        "thinking": "".join(part.text for part in thoughts),
        "thinkingDuration": seconds(sum(part.duration_ms for part in thoughts)),
    }


def seconds(duration_ms: int) -> int:
    """Rounded, but never nothing."""
    return max(1, round(duration_ms / 1000))
