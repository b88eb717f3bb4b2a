"""Stored messages in the shape that chat front ends read, and the filters by which they ask for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime

from chat.api.prediction import payload
from chat.api.prediction.chats import chat_id_of, uuid_in, uuid_of
from chat.domain.errors import InvalidInput
from chat.domain.events import Source, SourcesFound
from chat.models import Actor, Conversation, Feedback, Flow, LoggedEvent, Message, Run

MAX_ROWS = 10_000
THUMBS = {Feedback.Rating.UP: "THUMBS_UP", Feedback.Rating.DOWN: "THUMBS_DOWN"}
_RATINGS = {thumb: rating for rating, thumb in THUMBS.items()}
_CHAT_TYPES = {"EXTERNAL": ~Q(chat_id=""), "INTERNAL": Q(chat_id="")}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which chats and messages are meant, by the query of a request."""

    query: QueryDict

    @property
    def chat_id(self) -> str:
        """ "" for all chats."""
        return self.query.get("chatId", "")

    def chats(self, actor: Actor, flow: Flow) -> QuerySet[Conversation]:
        """The actor's chats in the flow. Raises: InvalidInput for a filter that is nonsense."""
        found = Conversation.objects.kept().visible_to(actor).filter(flow=flow)
        if self.chat_id:
            found = found.filter(_named(self.chat_id, "chat_id"))
        if session_id := self.query.get("sessionId"):
            found = found.filter(_named(session_id, "session_id"))
        if chat_types := self._chat_types():
            found = found.filter(chat_types)
        return found

    def messages(self, actor: Actor, flow: Flow) -> QuerySet[Message]:
        """Their messages in the order asked for. Raises: InvalidInput for a filter that is nonsense."""
        found = Message.objects.filter(conversation__in=self.chats(actor, flow))
        found = found.exclude(role=Message.Role.ASSISTANT, parts=[])  # not written yet
        if message_id := self.query.get("messageId"):
            found = found.filter(key=uuid_of(message_id))
        if start := self._moment("startDate"):
            found = found.filter(created_at__gte=start)
        if end := self._moment("endDate"):
            found = found.filter(created_at__lte=end)
        if ratings := [_RATINGS[thumb] for thumb in self._choices("feedbackType", _RATINGS)]:
            found = found.filter(feedback__rating__in=ratings).distinct()
        return self._page(found.order_by(*self._order()))

    def _order(self) -> tuple[str, str]:
        [order] = self._choices("order", ("ASC", "DESC")) or ["ASC"]
        return ("created_at", "pk") if order == "ASC" else ("-created_at", "-pk")

    def _page(self, found: QuerySet[Message]) -> QuerySet[Message]:
        limit = number_in(self.query, "limit") or MAX_ROWS
        page = number_in(self.query, "page") or 1
        return found[(page - 1) * limit : page * limit]

    def _chat_types(self) -> Q:
        wanted = Q()
        for name in self._choices("chatType", _CHAT_TYPES):
            wanted |= _CHAT_TYPES[name]
        return wanted

    def _choices(self, name: str, choices: Iterable[str]) -> list[str]:
        """Given once, repeatedly, or as a JSON list."""
        given = [value.strip('[]" ') for text in self.query.getlist(name) for value in text.split(",")]
        wanted = [value for value in given if value]
        if any(value not in choices for value in wanted) or (name == "order" and len(wanted) > 1):
            raise InvalidInput(f"{name} must be one of {', '.join(choices)}.", field=name)
        return wanted

    def _moment(self, name: str) -> datetime | None:
        text = self.query.get(name)
        if not text:
            return None
        try:
            moment = parse_datetime(text)
            if moment is None and (day := parse_date(text)):
                moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        except ValueError:
            moment = None
        if moment is None:
            raise InvalidInput(f"{name} must be a date such as 2026-01-31T12:00:00Z.", field=name)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def rows_of(messages: QuerySet[Message], flow: Flow) -> list[dict[str, Any]]:
    """The messages as JSON, in as many queries for one as for all."""
    sources = Prefetch("events", LoggedEvent.objects.filter(kind="sources_found").order_by("seq"))
    runs = Prefetch("runs", queryset=Run.objects.order_by("pk").prefetch_related(sources))
    answers = Prefetch("children__runs", queryset=Run.objects.order_by("pk"))
    found = messages.select_related("conversation").prefetch_related(runs, answers, "feedback")
    return [_row(message, flow) for message in found]


def feedback_row(feedback: Feedback, flow_id: object) -> dict[str, Any]:
    """One rating. Touches the database unless message and conversation are loaded."""
    message = feedback.message
    return {
        "id": str(feedback.pk),
        "chatflowid": str(flow_id),
        "chatId": chat_id_of(message.conversation),
        "messageId": str(message.key),
        "rating": THUMBS[Feedback.Rating(feedback.rating)],
        "content": feedback.content,
        "createdDate": moment_text(feedback.created_at),
    }


def moment_text(moment: datetime) -> str:
    """As JavaScript writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number_in(query: QueryDict, name: str) -> int | None:
    """A whole number from 1. Raises: InvalidInput."""
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:8]) <= MAX_ROWS and len(text) < 8):
        raise InvalidInput(f"{name} must be a whole number from 1 to {MAX_ROWS}.", field=name)
    return int(text)


def _named(name: str, column: str) -> Q:
    found = Q(**{column: name})
    if pk := uuid_in(name):
        found |= Q(chat_id="", pk=pk)
    return found


def _row(message: Message, flow: Flow) -> dict[str, Any]:
    conversation = message.conversation
    is_answer = message.role == Message.Role.ASSISTANT
    notes = {} if is_answer else _notes_of(message)
    chat_id = chat_id_of(conversation)
    row = {
        "id": str(message.key),
        "role": "apiMessage" if is_answer else "userMessage",
        "chatflowid": str(flow.pk),
        "content": notes.get("question", message.text),
        "chatType": "EXTERNAL" if conversation.chat_id else "INTERNAL",
        "chatId": chat_id,
        "sessionId": conversation.session_id or chat_id,
        "memoryType": None,
        "createdDate": moment_text(message.created_at),
        "leadEmail": notes.get("leadEmail"),
        "sourceDocuments": payload.source_documents(_sources_of(message)),
        "usedTools": payload.used_tools(message.content),
        "fileAnnotations": [],
        "agentReasoning": [],
        "reasonContent": payload.reasoning(message.content),
        "fileUploads": [_upload(file) for file in notes.get("files", [])],
        "artifacts": [],
        "action": None,
        "followUpPrompts": None,
        "execution": None,
    }
    ratings = sorted(message.feedback.all(), key=lambda feedback: feedback.created_at)
    return row | ({"feedback": feedback_row(ratings[-1], flow.pk)} if ratings else {})


def _notes_of(question: Message) -> dict[str, Any]:
    """What the run of its first answer noted of the request."""
    for answer in question.children.all():
        for run in answer.runs.all():
            return dict(run.params)
    return {}


def _sources_of(answer: Message) -> tuple[Source, ...]:
    """What its last run found."""
    for run in reversed(answer.runs.all()):
        for logged in reversed(run.events.all()):
            if isinstance(event := logged.numbered.event, SourcesFound):
                return event.sources
    return ()


def _upload(file: dict[str, str]) -> dict[str, str]:
    return {"type": "stored-file:full", "name": file["name"], "mime": file["mime"]}
