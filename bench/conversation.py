"""How long the server takes to open a conversation of many messages. Run: `.venv/bin/python -m bench.conversation`."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import uuid

import django
from django.core.management import call_command

SIZES = (10, 100, 1_000, 10_000)
NUM_VISITS = 20
_ANSWER = "An answer with **some** words, `code` and\n\n- a list\n- of things\n\n```python\nprint({n})\n```\n"


def main() -> None:
    """Fill a database of its own, open each conversation as its owner does, print the median and the worst visit."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(PARLEY_DATA_DIR=folder, DJANGO_SETTINGS_MODULE="chatsite.settings")
        django.setup()
        call_command("migrate", verbosity=0)
        print(f"{'messages':>10}{'first visit':>14}{'median':>10}{'worst':>10}")
        for num_messages in SIZES:
            first_s, *visits_s = _visits(num_messages)
            print(
                f"{num_messages:>10,}{first_s * 1000:>11.0f} ms{statistics.median(visits_s) * 1000:>7.0f} ms"
                f"{max(visits_s) * 1000:>7.0f} ms"
            )


def _visits(num_messages: int) -> list[float]:
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.get("/")
    guest_key = uuid.UUID(client.cookies["parley_guest"].value.partition(":")[0])
    path = _conversation(guest_key, num_messages)
    visits_s = []
    for _ in range(1 + NUM_VISITS):
        began_s = time.perf_counter()
        response = client.get(path)
        visits_s.append(time.perf_counter() - began_s)
        if response.status_code != 200:
            raise RuntimeError(f"{path} answered {response.status_code}")
    return visits_s


def _conversation(guest_key: uuid.UUID, num_messages: int) -> str:
    from django.db import transaction
    from django.utils import timezone

    from chat.models import Conversation, Message

    with transaction.atomic():
        conversation = Conversation.objects.create(
            guest_key=guest_key, title="Long", updated_at=timezone.now()
        )
        parent = None
        for n in range(num_messages):
            is_question = n % 2 == 0
            text = f"Question {n}?" if is_question else _ANSWER.replace("{n}", str(n))
            role = Message.Role.USER if is_question else Message.Role.ASSISTANT
            parts = [{"kind": "text", "text": text}]
            parent = Message.objects.create(conversation=conversation, parent=parent, role=role, parts=parts)
        conversation.leaf = parent
        conversation.save()
    return f"/c/{conversation.pk}"


if __name__ == "__main__":
    main()
