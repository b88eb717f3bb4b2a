"""Lists ask the database as often for many rows as for one."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from django.utils import timezone

from chat.api.prediction.stored import Filters, rows_of
from chat.models import Actor, Conversation, Feedback, Flow, Message, User


def test_messages_take_a_fixed_number_of_queries(alice: User, django_assert_max_num_queries: Any) -> None:
    flow = Flow.objects.default()
    for number in range(3):
        chat = Conversation.objects.create(
            owner=alice, flow=flow, chat_id=f"chat-{number}", updated_at=timezone.now()
        )
        for _ in range(3):
            question = Message(conversation=chat, role="user", parts=[{"kind": "text", "text": "q"}])
            question.save()
            parts = [{"kind": "text", "text": "a"}]
            answer = Message.objects.create(conversation=chat, parent=question, role="assistant", parts=parts)
            Feedback.objects.create(message=answer, rating="up")

    with django_assert_max_num_queries(6):
        rows = rows_of(Filters(QueryDict("")).messages(Actor(user=alice), flow), flow)

    assert len(rows) == 18
