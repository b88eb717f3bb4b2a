"""Reading the conversations of our own JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from chat.domain.errors import InvalidInput
from chat.domain.events import Source, UsageReported
from chat.domain.messages import ImagePart, Part, part_from_dict
from chat.domain.params import SamplingParams
from chat.models import RunStatus
from chat.models.conversation import MODEL_MAX_CHARS, TAG_MAX_CHARS, TITLE_MAX_CHARS
from chat.models.flow import NAME_MAX_CHARS, changed_params
from chat.models.run import LIVE
from chat.runs.keeping.fields import Fields, plain
from chat.runs.keeping.imported import (
    MAX_MESSAGES,
    ImportedChat,
    ImportedFeedback,
    ImportedMessage,
    ImportedRun,
)

SOURCE = "parley"
MAX_PARTS = 1_000
MAX_EACH = 200
_ENDED = [status.value for status in RunStatus if status not in LIVE]


def chat_from_parley(chat: Fields) -> ImportedChat:
    """Raises: InvalidInput naming the place."""
    messages = _messages(chat)
    leaf = _id(chat, "leaf")
    if leaf is not None and leaf not in {message.id for message in messages}:
        raise chat.wrong("leaf", "is none of its messages")
    return ImportedChat(
        source=SOURCE,
        source_id=chat.text("id", max_chars=64),
        title=chat.text("title", max_chars=TITLE_MAX_CHARS),
        messages=messages,
        leaf=leaf,
        model=chat.text("model", max_chars=MODEL_MAX_CHARS),
        flow=chat.text("flow", max_chars=NAME_MAX_CHARS),
        system_prompt=chat.text("system_prompt"),
        params=_params(chat),
        tags=_tags(chat),
        pinned_at=chat.moment("pinned_at"),
        archived_at=chat.moment("archived_at"),
        created_at=chat.moment("created_at"),
        updated_at=chat.moment("updated_at"),
    )


def _messages(chat: Fields) -> tuple[ImportedMessage, ...]:
    found: dict[str, ImportedMessage] = {}
    for fields in chat.objects("messages", max_items=MAX_MESSAGES):
        message = _message(fields)
        if message.id in found:
            raise fields.wrong("id", "stands there twice")
        if message.parent is not None and message.parent not in found:
            raise fields.wrong("parent", "must be the id of a message before it")
        found[message.id] = message
    return tuple(found.values())


def _message(fields: Fields) -> ImportedMessage:
    pk = _id(fields, "id")
    if pk is None:
        raise fields.wrong("id", "is missing")
    return ImportedMessage(
        id=pk,
        parent=_id(fields, "parent"),
        role=_role(fields),
        parts=tuple(_part(part) for part in fields.objects("parts", max_items=MAX_PARTS)),
        created_at=fields.moment("created_at"),
        runs=tuple(_run(run) for run in fields.objects("runs", max_items=MAX_EACH)),
        feedback=tuple(_feedback(each) for each in fields.objects("feedback", max_items=MAX_EACH)),
    )


def _id(fields: Fields, name: str) -> str | None:
    value = fields.values.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise fields.wrong(name, "must be a whole number")
    return str(value) if abs(value) < 2**63 else None


def _role(fields: Fields) -> Literal["user", "assistant"]:
    match fields.text("role", max_chars=10):
        case "user":
            return "user"
        case "assistant":
            return "assistant"
    raise fields.wrong("role", 'must be "user" or "assistant"')


# What a part's fields must be, by their names: `part_from_dict` knows which belong to which kind.
_PART_FIELDS: dict[str, type] = {
    "kind": str,
    "text": str,
    "duration_ms": int,
    "id": str,
    "name": str,
    "arguments": dict,
    "call_id": str,
    "content": str,
    "is_error": bool,
    "width": int,
    "height": int,
}


def _part(fields: Fields) -> Part:
    values = plain(dict(fields.values), fields.place)
    for name, value in values.items():
        if name not in _PART_FIELDS or type(value) is not _PART_FIELDS[name]:
            raise fields.wrong(name[:40], "is no field of a part, or of another kind")
    try:
        part = part_from_dict(values)
    except (KeyError, TypeError) as exc:
        raise InvalidInput(f"{fields.place} is no part of a message.") from exc
    # The pictures themselves are not in the file.
    return replace(part, id="") if isinstance(part, ImagePart) else part


def _params(chat: Fields) -> dict[str, Any]:
    params = plain(dict(chat.inner("params").values), f"{chat.place}.params")
    try:
        changed_params(SamplingParams(), params)
    except (InvalidInput, TypeError, ValueError) as exc:
        raise chat.wrong("params", "are no sampling parameters") from exc
    return dict(params)


def _tags(chat: Fields) -> tuple[str, ...]:
    tags = chat.items("tags", max_items=MAX_EACH)
    if not all(isinstance(tag, str) and 0 < len(tag) <= TAG_MAX_CHARS for tag in tags):
        raise chat.wrong("tags", f"must be words of at most {TAG_MAX_CHARS} characters")
    return tuple(dict.fromkeys(plain(tags, chat.place)))


def _run(fields: Fields) -> ImportedRun:
    status = fields.text("status", max_chars=12)
    if status not in _ENDED:
        raise fields.wrong("status", f"must be one of {', '.join(_ENDED)}")
    error = fields.inner("error")
    has_searched = fields.values.get("sources") is not None
    return ImportedRun(
        fields={
            "model": fields.text("model", max_chars=MODEL_MAX_CHARS),
            "status": status,
            "finish_reason": fields.text("finish_reason", max_chars=12),
            "error_code": error.text("code", max_chars=40),
            "error_message": error.text("message"),
            "error_hint": error.text("hint"),
            "usage": _usage(fields),
            "created_at": fields.moment("created_at"),
            "started_at": fields.moment("started_at"),
            "finished_at": fields.moment("finished_at"),
        },
        sources=[_source(each) for each in fields.objects("sources", max_items=MAX_EACH)]
        if has_searched
        else None,
        is_lexical=fields.values.get("is_lexical") is True,
    )


def _usage(run: Fields) -> dict[str, int] | None:
    values = dict(run.inner("usage").values)
    if not values:
        return None
    is_whole = all(type(value) is int and 0 <= value < 2**53 for value in values.values())
    try:
        UsageReported(**values)
    except TypeError as exc:
        raise run.wrong("usage", "has missing or unknown fields") from exc
    if not is_whole:
        raise run.wrong("usage", "must be whole numbers")
    return values


_SOURCE_FIELDS: dict[str, tuple[type, ...]] = {
    "n": (int,),
    "title": (str,),
    "excerpt": (str,),
    "page": (int, type(None)),
    "start": (int,),
    "end": (int,),
    "lexical_rank": (int, type(None)),
    "vector_rank": (int, type(None)),
    "score": (float, int),
}


def _source(fields: Fields) -> dict[str, Any]:
    values = plain(dict(fields.values), fields.place)
    for name, value in values.items():
        if name not in _SOURCE_FIELDS or type(value) not in _SOURCE_FIELDS[name]:
            raise fields.wrong(name[:40], "is no field of a source, or of another kind")
    try:
        Source(**values)
    except TypeError as exc:
        raise InvalidInput(f"{fields.place} lacks fields of a source.") from exc
    return dict(values)


def _feedback(fields: Fields) -> ImportedFeedback:
    content, created_at = fields.text("content", max_chars=20_000), fields.moment("created_at")
    match fields.text("rating", max_chars=4):
        case "up":
            return ImportedFeedback("up", content, created_at)
        case "down":
            return ImportedFeedback("down", content, created_at)
    raise fields.wrong("rating", 'must be "up" or "down"')
