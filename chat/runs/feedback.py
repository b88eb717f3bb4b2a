"""What the owner of a conversation thinks of its answers: one rating each, which can be explained and taken back.

Programs may leave several rows for an answer; the newest is the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from chat.domain.errors import Conflict, InvalidInput
from chat.models import Feedback, Message
from chat.models.run import LIVE

MAX_CHARS = 10_000


def feedback_on(message: Message) -> Feedback | None:
    """The rating that counts."""
    return message.feedback.order_by("-created_at", "-pk").first()


def feedback_of(message_ids: Iterable[int]) -> dict[int, Feedback]:
    """The ratings that count, by answer, in one query."""
    rows = Feedback.objects.filter(message__in=list(message_ids)).order_by("created_at", "pk")
    return {row.message_id: row for row in rows}


@transaction.atomic
def rate(message: Message, rating: Feedback.Rating) -> Feedback:
    """Call an answer good or bad; the reason for another rating goes. Raises: InvalidInput, Conflict."""
    if message.is_question:
        raise InvalidInput("Only answers can be rated.", hint="Rate the answer to this question.")
    if message.runs.filter(status__in=LIVE).exists():
        raise Conflict("This answer is still being written.", hint="Rate it when it is finished.")
    feedback = feedback_on(message)
    if feedback is None:
        return Feedback.objects.create(message=message, rating=rating)
    if feedback.rating != rating:
        feedback.rating, feedback.content = rating, ""
        feedback.save(update_fields=["rating", "content"])
    return feedback


def take_back(message: Message) -> None:
    """As if the answer had never been rated."""
    message.feedback.all().delete()


def explain(feedback: Feedback, reason: str) -> None:
    """Say why. Raises: InvalidInput for more than `MAX_CHARS`."""
    if len(reason) > MAX_CHARS:
        raise InvalidInput(f"A reason has at most {MAX_CHARS:,} characters.", hint="Say it more briefly.")
    feedback.content = reason.replace("\x00", "")
    feedback.save(update_fields=["content"])
