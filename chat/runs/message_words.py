"""Finding messages by their words: an FTS5 row for each message, which begins with a name of its owner.

A person's rows are found by intersecting lists of rows, so that others' messages cost next to nothing and are never
ranked. The row goes with its message, by a trigger.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from django.db import connection

from chat.models import Actor, Conversation, Message, User
from chat.retrieval.words import has_content, question_terms, spelled
from chat.runs.snippets import snippet_of

MAX_QUERY_CHARS = 400
# Only the newest matches are ranked: of a word that is everywhere, the newest are wanted anyway.
MAX_RANKED = 1_000
_BATCH = 100


@dataclass(frozen=True, slots=True)
class MessageHit:
    """The best message of a conversation. `snippet` is safe HTML with the words in `<mark>`."""

    message: Message
    snippet: str

    @property
    def conversation(self) -> Conversation:
        """Where it was said."""
        return self.message.conversation


def index_messages(messages: Iterable[Message]) -> None:
    """Let messages be found by what they say now. Whoever makes or changes messages calls it, in one transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT OR REPLACE INTO chat_message_words (rowid, owner, words) VALUES (%s, %s, %s)",
            [
                (
                    each.pk,
                    _owner_word(each.conversation.owner_id, each.conversation.guest_key),
                    spelled(each.text),
                )
                for each in messages
            ],
        )


def adopt_words(guest_key: uuid.UUID, user: User) -> None:
    """What a guest said is an account's from now on. Called before their conversations change hands."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chat_message_words SET owner = %s WHERE rowid IN (SELECT message.id FROM chat_message message"
            " JOIN chat_conversation chat ON chat.id = message.conversation_id WHERE chat.guest_key = %s)",
            [_owner_word(user.pk, None), guest_key.hex],
        )


def search_messages(actor: Actor, query: str, limit: int = 20) -> list[MessageHit]:
    """The messages that hold all words of the query, the best first; of each conversation the best one.

    The last word may be unfinished. Any text is a valid query. Archived conversations are searched, deleted ones not.
    """
    terms = query_terms(query)
    if not terms or not (actor.user or actor.guest_key):
        return []
    found = dict(islice(_best_of_conversations(actor, _ranked(actor, terms)), limit))
    messages = Message.objects.select_related("conversation").in_bulk(found.values())
    return [
        MessageHit(messages[pk], snippet_of(messages[pk].text, terms))
        for pk in found.values()
        if pk in messages
    ]


def query_terms(query: str) -> list[str]:
    """Expressions for FTS5's MATCH, all of which a message must fulfil. Words of the last piece may be unfinished."""
    query = query[:MAX_QUERY_CHARS].replace("\x00", " ")
    if not has_content(query):
        return _unfinished(query)
    *before, last = query.split(" ")
    finished = " ".join(before)
    terms = question_terms(finished) if has_content(finished) else []
    return list(dict.fromkeys([*terms, *(_unfinished(last) if has_content(last) else [])]))


def _unfinished(words: str) -> list[str]:
    return [f"{term.rstrip('*')}*" for term in question_terms(words)]


def _ranked(actor: Actor, terms: list[str]) -> list[int]:
    """Ids of messages, the best first."""
    owner = _owner_word(actor.user.pk if actor.user else None, actor.guest_key)
    match = f'owner : "{owner}" AND words : ({" AND ".join(terms)})'
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rowid, bm25(chat_message_words, 0.0, 1.0) FROM chat_message_words"
            " WHERE chat_message_words MATCH %s ORDER BY rowid DESC LIMIT %s",
            [match, MAX_RANKED],
        )
        return [pk for pk, _ in sorted(cursor.fetchall(), key=lambda row: row[1])]


def _best_of_conversations(actor: Actor, ranked: list[int]) -> Iterator[tuple[uuid.UUID, int]]:
    """The first message of each conversation that the actor may see, as (conversation, message)."""
    kept = Conversation.objects.visible_to(actor).kept()
    seen: set[uuid.UUID] = set()
    for start in range(0, len(ranked), _BATCH):
        batch = ranked[start : start + _BATCH]
        conversation_of = dict(Message.objects.filter(pk__in=batch).values_list("pk", "conversation_id"))
        mine = set(kept.filter(pk__in=set(conversation_of.values())).values_list("pk", flat=True))
        for pk in batch:
            conversation_id = conversation_of.get(pk)
            if conversation_id is not None and conversation_id in mine - seen:
                seen.add(conversation_id)
                yield conversation_id, pk


def _owner_word(user_id: int | None, guest_key: uuid.UUID | None) -> str:
    """A name that FTS5's tokenizer leaves whole."""
    return f"user{user_id}" if user_id is not None else f"guest{guest_key.hex if guest_key else ''}"
