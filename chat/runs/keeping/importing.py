"""Storing conversations that come in, each in a transaction of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chat.domain.errors import ChatError
from chat.models import Actor, Conversation, ConversationTag, Feedback, Flow, LoggedEvent, Message, Run
from chat.runs.keeping.chat_reader import chat_of, values_in
from chat.runs.keeping.from_parley import SOURCE as OURS
from chat.runs.keeping.imported import ImportedChat, ImportedMessage, ImportedRun
from chat.runs.message_words import index_messages

# Names the conversation that the same file, brought again, must find.
_IMPORTED = uuid.UUID("0d2f0c5e-91a7-4a44-8a55-6f3f6f1f2c77")
_BATCH = 200


class Outcome(StrEnum):
    """What became of a conversation of the file."""

    ADDED = "added"
    KNOWN = "known"
    RESTORED = "restored"
    EMPTY = "empty"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """One conversation of the file, or what is wrong with all of it."""

    outcome: Outcome
    title: str
    reason: str = ""
    conversation_id: uuid.UUID | None = None


def import_chats(file: IO[bytes], actor: Actor) -> Iterator[Report]:
    """Bring in the conversations of a file, each as it is asked for; a bad one changes nothing and the next goes on."""
    try:
        for place, value in values_in(file):
            yield _imported(value, place, actor)
    except ChatError as exc:
        yield Report(Outcome.FAILED, "The file", f"{exc.message} {exc.hint}".strip())


def _imported(value: Any, place: str, actor: Actor) -> Report:
    try:
        chat = chat_of(value, place)
    except ChatError as exc:
        return Report(Outcome.FAILED, place, f"{exc.message} {exc.hint}".strip())
    title = chat.title or place
    if not chat.messages:
        return Report(Outcome.EMPTY, title)
    if known := _known(chat, actor):
        outcome = Outcome.RESTORED if known.deleted_at else Outcome.KNOWN
        Conversation.objects.filter(pk=known.pk).update(deleted_at=None)
        return Report(outcome, title, conversation_id=known.pk)
    with transaction.atomic():
        conversation = _stored(chat, actor)
    return Report(Outcome.ADDED, title, conversation_id=conversation.pk)


def _known(chat: ImportedChat, actor: Actor) -> Conversation | None:
    """What came from the same place before, or, for our own export, the conversation that it was made of."""
    wanted = Q(import_key=_key_of(chat))
    if chat.source == OURS and (own := _parsed(chat.source_id)):
        wanted |= Q(pk=own)
    found: Conversation | None = Conversation.objects.visible_to(actor).filter(wanted).first()
    return found


def _key_of(chat: ImportedChat) -> uuid.UUID:
    """The same for the same source; without an id there, its title and times stand for it."""
    name = chat.source_id or f"{chat.title}:{chat.created_at}:{chat.messages[0].id}"
    return uuid.uuid5(_IMPORTED, f"{chat.source}:{name}")


def _pk_of(chat: ImportedChat, actor: Actor) -> uuid.UUID:
    """Two imports of the same file at the same moment cannot both store it. Afterwards the key finds it, also when
    the guest who brought it has an account by then.
    """
    return uuid.uuid5(_IMPORTED, f"{actor.scope}:{_key_of(chat)}")


def _parsed(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _stored(chat: ImportedChat, actor: Actor) -> Conversation:
    now = timezone.now()
    conversation = Conversation.objects.create(
        pk=_pk_of(chat, actor),
        import_key=_key_of(chat),
        title=chat.title,
        model=chat.model,
        flow=Flow.objects.filter(name=chat.flow).first() if chat.flow else None,
        system_prompt=chat.system_prompt,
        params=chat.params,
        pinned_at=chat.pinned_at,
        archived_at=chat.archived_at,
        updated_at=chat.updated_at or chat.created_at or now,
        **actor.ownership,
    )
    created_at = chat.created_at or conversation.updated_at
    Conversation.objects.filter(pk=conversation.pk).update(created_at=created_at)
    ConversationTag.objects.bulk_create(
        ConversationTag(conversation=conversation, name=tag) for tag in chat.tags
    )
    rows = _store_messages(chat, conversation)
    for message in chat.messages:
        _store_runs(message, rows[message.id])
        _store_feedback(message, rows[message.id])
    conversation.leaf = rows[chat.leaf] if chat.leaf else None
    conversation.save(update_fields=["leaf"])
    return conversation


def _store_messages(chat: ImportedChat, conversation: Conversation) -> dict[str, Message]:
    rows = {}
    for message in chat.messages:
        row = rows[message.id] = Message(conversation=conversation, role=message.role)
        row.set_content(message.parts)
    Message.objects.bulk_create(rows.values(), batch_size=_BATCH)
    for message in chat.messages:  # the parents have ids now
        row = rows[message.id]
        row.parent = rows[message.parent] if message.parent is not None else None
        row.created_at = message.created_at or chat.created_at or row.created_at
    Message.objects.bulk_update(rows.values(), ["parent", "created_at"], batch_size=_BATCH)
    index_messages(rows.values())
    return rows


def _store_runs(message: ImportedMessage, row: Message) -> None:
    for imported in message.runs:
        times = {"created_at": imported.fields["created_at"] or row.created_at}
        run = Run.objects.create(conversation=row.conversation, reply=row, **{**imported.fields, **times})
        Run.objects.filter(pk=run.pk).update(**times)
        _store_sources(imported, run)


def _store_sources(imported: ImportedRun, run: Run) -> None:
    if imported.sources is None:
        return
    found = {"sources": imported.sources, "is_lexical": imported.is_lexical}
    LoggedEvent.objects.create(run=run, seq=1, kind="sources_found", data=found, at_ms=0)


def _store_feedback(message: ImportedMessage, row: Message) -> None:
    for imported in message.feedback:
        feedback = Feedback.objects.create(message=row, rating=imported.rating, content=imported.content)
        if imported.created_at:
            Feedback.objects.filter(pk=feedback.pk).update(created_at=imported.created_at)
