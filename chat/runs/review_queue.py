"""Which conversations a reviewer looks through: all that there are, deleted ones too, or those that a filter leaves."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from django.utils import timezone

from chat.models import Conversation, Feedback, Message, Review, Run, RunStatus
from chat.models.conversation import ConversationQuerySet
from chat.runs.message_words import query_terms

FAILED = (RunStatus.ERROR, RunStatus.INTERRUPTED)
GUEST = "guest"
_SAYING = (
    "SELECT message.conversation_id FROM chat_message_words JOIN chat_message message"
    " ON message.id = chat_message_words.rowid WHERE chat_message_words MATCH %s"
)


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What all conversations of the queue have in common; "" and None ask for nothing.

    `person`: a part of a name, or `GUEST`. `since` and `until` are the days of the last change, both included.
    `feedback`: a rating, or "any".
    """

    words: str = ""
    person: str = ""
    flow_id: uuid.UUID | None = None
    model: str = ""
    tool: str = ""
    since: date | None = None
    until: date | None = None
    feedback: str = ""
    has_failed: bool = False
    status: str = ""

    def rows(self) -> ConversationQuerySet:
        """They are put in order by whoever shows them."""
        rows: ConversationQuerySet = Conversation.objects.filter(self._facts())
        for wanted, condition in (
            (self.words, self._words()),
            (self.model, Exists(_runs().filter(model__iexact=self.model))),
            (self.tool, Exists(_answers_with(self.tool))),
            (self.feedback, Exists(self._feedback())),
            (self.has_failed, Exists(_runs().filter(status__in=FAILED))),
        ):
            if wanted:
                rows = rows.filter(condition)
        return rows

    def _facts(self) -> Q:
        facts = Q()
        if self.person:
            named = Q(owner__username__icontains=self.person)
            facts &= Q(owner=None) if self.person.lower() == GUEST else named
        if self.flow_id:
            facts &= Q(flow=self.flow_id)
        if self.since:
            facts &= Q(updated_at__gte=_midnight(self.since))
        if self.until:
            facts &= Q(updated_at__lt=_midnight(self.until + timedelta(days=1)))
        if self.status == Review.Status.NEW:
            facts &= Q(review=None) | Q(review__status=Review.Status.NEW)
        elif self.status:
            facts &= Q(review__status=self.status)
        return facts

    def _words(self) -> Q:
        """In the title, or all of them in one message."""
        found = Q(title__icontains=self.words)
        if terms := query_terms(self.words):
            found |= Q(pk__in=RawSQL(_SAYING, [f"words : ({' AND '.join(terms)})"]))  # noqa: S611
        return found

    def _feedback(self) -> QuerySet[Feedback]:
        rows = Feedback.objects.filter(message__conversation=OuterRef("pk"))
        return rows if self.feedback == "any" else rows.filter(rating=self.feedback)


def _runs() -> QuerySet[Run]:
    return Run.objects.filter(conversation=OuterRef("pk"))


def _answers_with(tool: str) -> QuerySet[Message]:
    """As `part_to_dict` writes a call; quotes inside of texts are escaped, so that no text looks like one."""
    answers = Message.objects.filter(conversation=OuterRef("pk"), role=Message.Role.ASSISTANT)
    call = f'"name": {json.dumps(tool)}, "arguments": '
    return answers.annotate(raw_parts=Cast("parts", TextField())).filter(raw_parts__contains=call)


def older_than(rows: ConversationQuerySet, place: Conversation) -> uuid.UUID | None:
    """The next in the queue, which goes from the newest to the oldest."""
    later = rows.filter(
        Q(updated_at__lt=place.updated_at) | Q(pk__gt=place.pk), updated_at__lte=place.updated_at
    )
    return later.order_by("-updated_at", "pk").values_list("pk", flat=True).first()


def newer_than(rows: ConversationQuerySet, place: Conversation) -> uuid.UUID | None:
    """The previous in the queue."""
    before = rows.filter(
        Q(updated_at__gt=place.updated_at) | Q(pk__lt=place.pk), updated_at__gte=place.updated_at
    )
    return before.order_by("updated_at", "-pk").values_list("pk", flat=True).first()


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
