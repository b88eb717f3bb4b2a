"""Finding a conversation by words: results for the sidebar and the palette."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.safestring import SafeString

from chat.models import Actor
from chat.models.conversation import Conversation
from chat.runs.message_words import MAX_QUERY_CHARS, query_terms, search_messages
from chat.runs.snippets import marked_title

MAX_TITLES = 5
MAX_HITS = 20
MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class Result:
    """A conversation that was found by its title, or by a message, which the link leads to."""

    url: str
    title: str | SafeString
    snippet: str = ""
    is_archived: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What there is for a query: by titles, by messages."""

    query: str
    titles: list[Result]
    messages: list[Result]


def find(actor: Actor, query: str) -> Found:
    """Five queries, whatever is found. Both lists are empty for a query without a word."""
    query = query.strip("\x00")[:MAX_QUERY_CHARS]
    messages = [
        Result(
            f"{reverse('conversation', args=[hit.conversation.pk])}?at={hit.message.pk}#message-{hit.message.pk}",
            str(hit.conversation),
            hit.snippet,
            hit.conversation.archived_at is not None,
        )
        for hit in search_messages(actor, query, MAX_HITS)
    ]
    return Found(query, _by_title(actor, query), messages)


def _by_title(actor: Actor, query: str) -> list[Result]:
    """All words of the query, anywhere in the title; the newest first."""
    words = query.split()[:MAX_WORDS]
    if not words:
        return []
    rows = Conversation.objects.visible_to(actor).kept()
    for word in words:
        rows = rows.filter(title__icontains=word)
    terms = query_terms(query)
    return [
        Result(
            reverse("conversation", args=[row.pk]),
            marked_title(str(row), terms),
            is_archived=row.archived_at is not None,
        )
        for row in rows.order_by("-updated_at").only("title", "archived_at")[:MAX_TITLES]
    ]
