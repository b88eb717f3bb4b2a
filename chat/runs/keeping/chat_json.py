"""Conversations as JSON, piece by piece: the whole tree with all that belongs to it. `docs/export.md` describes it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from chat.models import Conversation, Feedback, LoggedEvent, Message, Run

FORMAT = "parley-chats"
VERSION = 1
_BATCH = 200


def json_of(conversations: Iterable[Conversation]) -> Iterator[str]:
    """The text of the file. Never more than a few messages are in memory."""
    head = {"format": FORMAT, "version": VERSION, "exported_at": _time(timezone.now())}
    yield _dumped(head)[:-1] + ', "conversations": ['
    for number, conversation in enumerate(conversations):
        yield ",\n" if number else "\n"
        yield from _conversation(conversation)
    yield "\n]}\n"


def _conversation(conversation: Conversation) -> Iterator[str]:
    yield _dumped(_settings(conversation))[:-1] + ', "messages": ['
    # By id, so that parents stand before their children.
    ids = list(conversation.messages.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        for message in _messages(conversation.messages_by_ids(ids[start : start + _BATCH])):
            yield ("\n" if message["id"] == ids[0] else ",\n") + _dumped(message)
    yield "]}"


def _settings(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "model": conversation.model,
        "flow": conversation.flow.name if conversation.flow else None,
        "system_prompt": conversation.system_prompt,
        "params": conversation.params,
        "tags": list(conversation.tags.values_list("name", flat=True)),
        "pinned_at": _time(conversation.pinned_at),
        "archived_at": _time(conversation.archived_at),
        "created_at": _time(conversation.created_at),
        "updated_at": _time(conversation.updated_at),
        "leaf": conversation.leaf_id,
    }


def _messages(messages: list[Message]) -> Iterator[dict[str, Any]]:
    runs, feedback = _runs_of(messages), _feedback_of(messages)
    for message in messages:
        yield {
            "id": message.pk,
            "parent": message.parent_id,
            "role": message.role,
            "parts": message.parts,
            "created_at": _time(message.created_at),
            "runs": runs.get(message.pk, []),
            "feedback": feedback.get(message.pk, []),
        }


def _runs_of(messages: list[Message]) -> Mapping[int, list[dict[str, Any]]]:
    """By reply. Answers that are being written are told as interrupted, with the text that is stored."""
    rows = list(Run.objects.filter(reply__in=messages).order_by("pk"))
    found = LoggedEvent.objects.filter(run__in=rows, kind="sources_found").order_by("pk")
    sources = {event.run_id: event.data for event in found}  # the last of a run holds all
    runs: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for run in rows:
        runs[run.reply_id].append(_run(run, sources.get(run.pk)))
    return runs


def _run(run: Run, found: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "model": run.model,
        "status": "interrupted" if run.is_live else run.status,
        "finish_reason": run.finish_reason,
        "error": {"code": run.error_code, "message": run.error_message, "hint": run.error_hint},
        "usage": run.usage,
        "sources": found and [_source(source) for source in found["sources"]],
        "is_lexical": bool(found and found.get("is_lexical")),
        "created_at": _time(run.created_at),
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
    }


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    """Without the document's id, which leads nowhere on another server."""
    return {name: value for name, value in source.items() if name != "document_id"}


def _feedback_of(messages: list[Message]) -> Mapping[int, list[dict[str, Any]]]:
    feedback: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for each in Feedback.objects.filter(message__in=messages).order_by("created_at"):
        told = {"rating": each.rating, "content": each.content, "created_at": _time(each.created_at)}
        feedback[each.message_id].append(told)
    return feedback


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _dumped(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
