"""A conversation's shown branch as Markdown, for people to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import assert_never

from chat.domain.messages import ImagePart, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from chat.models import Conversation, LoggedEvent, Message, Run

_BATCH = 100
_BACKTICKS = re.compile(r"`{3,}")


def markdown_of(conversation: Conversation) -> Iterator[str]:
    """The text of the file, piece by piece."""
    yield f"# {_line(conversation.title) or 'New chat'}\n\n"
    yield f"{conversation.created_at:%Y-%m-%d %H:%M} UTC\n"
    ids = conversation.path_ids()
    for start in range(0, len(ids), _BATCH):
        messages = conversation.messages_by_ids(ids[start : start + _BATCH])
        runs = {run.reply_id: run for run in Run.objects.filter(reply__in=messages).order_by("pk")}
        for message in messages:
            yield from _message(message, runs.get(message.pk))


def _message(message: Message, run: Run | None) -> Iterator[str]:
    name = "Question" if message.is_question else f"Answer{f' by {run.model}' if run and run.model else ''}"
    yield f"\n## {name}\n"
    for part in message.content:
        yield f"\n{_part(part).rstrip()}\n"
    found = run and LoggedEvent.objects.filter(run=run, kind="sources_found").order_by("-pk").first()
    if found and found.data["sources"]:
        yield "\nSources:\n\n"
        for source in found.data["sources"]:
            page = f", page {source['page']}" if source.get("page") else ""
            yield f"{source['n']}. {_line(source['title'])}{page}\n"


def _part(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case ImagePart():
            return f"[picture: {_line(part.name)}]"
        case ReasoningPart():
            return "\n".join(f"> {line}".rstrip() for line in part.text.strip().splitlines())
        case ToolCall():
            arguments = json.dumps(dict(part.arguments), ensure_ascii=False, indent=2)
            return f"Tool `{_line(part.name)}`:\n\n{_fenced(arguments, 'json')}"
        case ToolResult():
            return f"{'Error' if part.is_error else 'Result'}:\n\n{_fenced(part.content)}"
        case _:
            assert_never(part)


def _fenced(text: str, language: str = "") -> str:
    """Between fences that are longer than any in the text."""
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=2))
    return f"{fence}{language}\n{text}\n{fence}"


def _line(text: str) -> str:
    return " ".join(text.split())
