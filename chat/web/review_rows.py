"""The rows of the review queue, with what tells a reviewer which to open."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from chat.models import Conversation, Feedback, Message, Review, Run
from chat.models.conversation import ConversationQuerySet
from chat.runs.review_queue import FAILED, GUEST


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A conversation as the queue shows it."""

    conversation: Conversation
    status: str
    num_messages: int
    num_good: int
    num_bad: int
    num_errors: int

    @property
    def person(self) -> str:
        """Whose it is."""
        return person_of(self.conversation)


def person_of(conversation: Conversation) -> str:
    """The account's name, or "guest"."""
    return conversation.owner.get_username() if conversation.owner else GUEST


def with_facts(rows: ConversationQuerySet) -> ConversationQuerySet:
    """What `queue_rows` needs of each row, in the same query."""
    return rows.select_related("owner", "flow", "review").defer("system_prompt", "params")


def queue_rows(conversations: Iterable[Conversation]) -> list[QueueRow]:
    """In three queries, however many there are."""
    shown = list(conversations)
    ids = [row.pk for row in shown]
    num_messages = _counts(Message.objects.filter(conversation__in=ids).values_list("conversation"))
    num_errors = _counts(
        Run.objects.filter(conversation__in=ids, status__in=FAILED).values_list("conversation")
    )
    ratings = _ratings_of(ids)
    return [
        QueueRow(
            row,
            status_of(row),
            num_messages[row.pk],
            ratings[row.pk][Feedback.Rating.UP],
            ratings[row.pk][Feedback.Rating.DOWN],
            num_errors[row.pk],
        )
        for row in shown
    ]


def status_of(conversation: Conversation) -> str:
    """Where it stands in the review."""
    review: Review | None = getattr(conversation, "review", None)
    return review.status if review else Review.Status.NEW


def _counts(rows: object) -> Counter[uuid.UUID]:
    return Counter(dict(rows.annotate(number=Count("pk"))))  # type: ignore[attr-defined]


def _ratings_of(ids: list[uuid.UUID]) -> defaultdict[uuid.UUID, Counter[str]]:
    ratings: defaultdict[uuid.UUID, Counter[str]] = defaultdict(Counter)
    given = Feedback.objects.filter(message__conversation__in=ids)
    for conversation_id, rating in given.values_list("message__conversation", "rating"):
        ratings[conversation_id][rating] += 1
    return ratings
