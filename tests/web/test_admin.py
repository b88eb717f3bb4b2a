"""Django's admin: who may enter, that it shows text as text, and that its lists stay fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.domain.messages import TextPart, part_to_dict
from chat.models import Conversation, LoggedEvent, Message, Run, User
from chat.models.run import RunStatus

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LISTS = ["conversation", "message", "run", "loggedevent", "user"]


@pytest.fixture
def boss(transactional_db: None, client_of: Callable[[User], Client]) -> Client:
    return client_of(User.objects.create_superuser("boss", password="a-long-password-4"))


def add_chats(owner: User, number: int) -> None:
    for _ in range(number):
        chat = Conversation.objects.create(owner=owner, title=EVIL, updated_at=timezone.now())
        text = [part_to_dict(TextPart(EVIL))]
        reply = Message.objects.create(conversation=chat, role=Message.Role.ASSISTANT, parts=text)
        run = Run.objects.create(conversation=chat, reply=reply, status=RunStatus.ERROR, error_message=EVIL)
        LoggedEvent.objects.create(run=run, seq=1, kind="text_delta", data={"text": EVIL}, at_ms=5)


@pytest.mark.parametrize("name", LISTS)
def test_an_outsider_sees_no_list(charlie: User, client_of: Callable[[User], Client], name: str) -> None:
    assert Client().get(f"/admin/chat/{name}/").status_code == 302
    assert client_of(charlie).get(f"/admin/chat/{name}/", follow=True).status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_a_long_list_needs_no_more_queries_than_a_short_one(boss: Client, alice: User, name: str) -> None:
    add_chats(alice, 2)
    short = num_queries(boss, name)

    add_chats(alice, 20)

    assert num_queries(boss, name) == short < 12


def num_queries(browser: Client, name: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert browser.get(f"/admin/chat/{name}/").status_code == 200
    return len(queries)


@pytest.mark.parametrize("name", ["conversation", "message", "run", "loggedevent"])
def test_what_people_and_models_wrote_is_shown_as_text(boss: Client, alice: User, name: str) -> None:
    add_chats(alice, 1)
    row: Any = {"conversation": Conversation, "message": Message, "run": Run, "loggedevent": LoggedEvent}[
        name
    ]

    for address in (f"/admin/chat/{name}/", f"/admin/chat/{name}/{row.objects.get().pk}/change/"):
        html = boss.get(address).content.decode()

        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_a_message_is_shown_raw(boss: Client, alice: User) -> None:
    add_chats(alice, 1)

    html = boss.get(f"/admin/chat/message/{Message.objects.get().pk}/change/").content.decode()

    assert "<pre>&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize("name", ["conversation", "message", "run", "loggedevent"])
def test_what_the_program_wrote_cannot_be_changed(boss: Client, alice: User, name: str) -> None:
    add_chats(alice, 1)

    assert boss.get(f"/admin/chat/{name}/add/").status_code == 403
    assert b'name="_save"' not in boss.get(f"/admin/chat/{name}/1/change/", follow=True).content


def test_the_admin_may_style_inline_and_the_page_may_not(boss: Client) -> None:
    assert "style-src 'self' 'unsafe-inline'" in boss.get("/admin/")["Content-Security-Policy"]
    assert "script-src 'self';" in boss.get("/admin/")["Content-Security-Policy"]
    assert "'unsafe-inline'" not in boss.get("/accounts/login/")["Content-Security-Policy"]
