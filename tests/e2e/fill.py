"""Stores conversations in the database of a server that runs: `python -m tests.e2e.fill < conversations.json`."""

from __future__ import annotations

import json
import os
import sys
import uuid

import django


def main() -> None:
    """Read the owner and the conversations, store them, print the path of each."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    wanted = json.load(sys.stdin)
    for texts in wanted["conversations"]:
        print(_store(uuid.UUID(wanted["guest_key"]), texts))


def _store(guest_key: uuid.UUID, texts: list[str]) -> str:
    from django.db import transaction
    from django.utils import timezone

    from chat.models import Conversation, Message
    from chat.runs.message_words import index_messages

    with transaction.atomic():
        conversation = Conversation.objects.create(
            guest_key=guest_key, title=texts[0][:100], updated_at=timezone.now()
        )
        parent = None
        for number, text in enumerate(texts):
            parent = Message.objects.create(
                conversation=conversation,
                parent=parent,
                role=Message.Role.ASSISTANT if number % 2 else Message.Role.USER,
                parts=[{"kind": "text", "text": text}],
            )
            index_messages([parent])
        conversation.leaf = parent
        conversation.save()
    return f"/c/{conversation.pk}"


if __name__ == "__main__":
    main()
