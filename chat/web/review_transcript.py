"""A conversation as a reviewer reads it: the chat's own parts, with what went wrong and what its owner thinks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chat.models import Conversation, Feedback
from chat.runs.feedback import feedback_of
from chat.web.citations import citations_of
from chat.web.part_views import TextView
from chat.web.reply_view import ReplyView
from chat.web.transcript import Item, transcript_at, transcript_of


@dataclass(frozen=True, slots=True)
class ReviewedItem:
    """A message, and the rating that its owner gave."""

    item: Item
    feedback: Feedback | None


@dataclass(frozen=True, slots=True)
class ReviewedTranscript:
    """Messages in order. `earlier_before`: see `Transcript`."""

    items: tuple[ReviewedItem, ...]
    earlier_before: int | None


def reviewed_transcript(conversation: Conversation, asked: Mapping[str, str]) -> ReviewedTranscript:
    """The last messages of the shown branch, those before message `before`, or those around message `at`."""
    place, before = _id(asked, "at"), _id(asked, "before")
    found = transcript_at(conversation, place) if place is not None else None
    transcript = found or transcript_of(conversation, before)
    feedback = feedback_of(item.message.pk for item in transcript.items)
    for item in transcript.items:
        if item.view:
            _forget_documents(item.view)
    items = tuple(ReviewedItem(item, feedback.get(item.message.pk)) for item in transcript.items)
    return ReviewedTranscript(items, transcript.earlier_before)


def _forget_documents(view: ReplyView) -> None:
    """The passages stay, the links go: a person's documents are not opened to reviewers."""
    view.reply.sources = tuple(replace(source, document_id="") for source in view.reply.sources)
    citations = citations_of(view.message_id, view.reply.sources)
    for part in view.parts:
        if isinstance(part, TextView):
            part.prose.cite(citations)


def _id(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None
