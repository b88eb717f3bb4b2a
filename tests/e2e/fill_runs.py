"""Stores answers with all that their runs told, as a server does at their end: `python -m tests.e2e.fill_runs`."""

from __future__ import annotations

import json
import os
import sys
import uuid
from typing import Any

import django


def main() -> None:
    """Read the owner and the turns, store them as one conversation, print its path."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    wanted = json.load(sys.stdin)
    print(_store(uuid.UUID(wanted["guest_key"]), wanted["turns"]))


def _store(guest_key: uuid.UUID, turns: list[dict[str, Any]]) -> str:
    from django.db import transaction
    from django.utils import timezone

    from chat.domain.events import event_from_dict
    from chat.models import Conversation
    from tests.web.chatting import store_turn

    with transaction.atomic():
        conversation = Conversation.objects.create(
            guest_key=guest_key, title=turns[0]["question"][:100], updated_at=timezone.now()
        )
        for turn in turns:
            store_turn(conversation, turn["question"], [event_from_dict(*event) for event in turn["events"]])
    return f"/c/{conversation.pk}"


if __name__ == "__main__":
    main()
