"""Django's admin: who may enter, that it shows text as text, and that its lists stay fast."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.domain.messages import TextPart, part_to_dict
from chat.models import (
    ApiKey,
    AuditEntry,
    Chunk,
    Collection,
    Conversation,
    ConversationTag,
    Document,
    Feedback,
    Flow,
    LoggedEvent,
    Message,
    Review,
    ReviewNote,
    Run,
    ShareLink,
    User,
)
from chat.models.run import RunStatus
from chat.runtime import Runtime
from tests.web.filing import collection_with, document_of

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LISTS = [
    "conversation",
    "message",
    "run",
    "loggedevent",
    "user",
    "flow",
    "apikey",
    "feedback",
    "collection",
    "document",
    "review",
    "reviewnote",
    "auditentry",
    "conversationtag",
    "sharelink",
    "placement",
    "chunk",
]


@pytest.fixture
def boss(transactional_db: None, client_of: Callable[[User], Client]) -> Client:
    return client_of(User.objects.create_superuser("boss", password="a-long-password-4"))


def add_chats(owner: User, number: int) -> None:
    for _ in range(number):
        flow = Flow.objects.create(name=f"{EVIL} {uuid.uuid4()}", system_prompt=EVIL, starter_prompts=[EVIL])
        ApiKey.objects.issue(owner, EVIL)[0].flows.set([flow])
        chat = Conversation.objects.create(owner=owner, title=EVIL, flow=flow, updated_at=timezone.now())
        text = [part_to_dict(TextPart(EVIL))]
        reply = Message.objects.create(conversation=chat, role=Message.Role.ASSISTANT, parts=text)
        run = Run.objects.create(conversation=chat, reply=reply, status=RunStatus.ERROR, error_message=EVIL)
        Feedback.objects.create(message=reply, rating="down", content=EVIL)
        LoggedEvent.objects.create(run=run, seq=1, kind="text_delta", data={"text": EVIL}, at_ms=5)
        document = document_of(EVIL, EVIL, error_message=EVIL)
        collection_with(document, owner=owner, conversation=chat)
        collection_with(document, name=f"{EVIL} {uuid.uuid4()}"[:80])
        Chunk.objects.create(document=document, position=0, text=EVIL, start=0, end=5)
        ConversationTag.objects.create(conversation=chat, name=EVIL[:40])
        ShareLink.objects.create(conversation=chat, leaf=reply)
        Review.objects.create(conversation=chat, reviewer=owner)
        ReviewNote.objects.create(conversation=chat, author=owner, text=EVIL)
        AuditEntry.objects.create(actor=owner, actor_name=EVIL, action="read", detail={"note": EVIL})


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


@pytest.mark.parametrize("name", [name for name in LISTS if name != "user"])
def test_what_people_and_models_wrote_is_shown_as_text(boss: Client, alice: User, name: str) -> None:
    add_chats(alice, 1)

    for address in (f"/admin/chat/{name}/", address_of_first(name)):
        html = boss.get(address).content.decode()

        assert "<script>alert" not in html
        assert "<img src=x" not in html


def address_of_first(name: str) -> str:
    return f"/admin/chat/{name}/{apps.get_model('chat', name).objects.first().pk}/change/"


@pytest.mark.parametrize("name", ["conversation", "message", "run", "loggedevent"])
def test_reading_what_people_said_is_on_record_for_good(boss: Client, alice: User, name: str) -> None:
    add_chats(alice, 1)
    AuditEntry.objects.all().delete()

    boss.get(address_of_first(name))

    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action) == ("boss", "read conversation")
    assert entry.conversation_id == Conversation.objects.get().pk
    assert boss.post(f"/admin/chat/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_message_is_shown_raw(boss: Client, alice: User) -> None:
    add_chats(alice, 1)

    html = boss.get(f"/admin/chat/message/{Message.objects.get().pk}/change/").content.decode()

    assert "<pre>&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize("name", [name for name in LISTS if name != "user"])
def test_what_the_program_wrote_cannot_be_changed(boss: Client, alice: User, name: str) -> None:
    add_chats(alice, 1)

    page = boss.get(address_of_first(name))

    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert boss.get(f"/admin/chat/{name}/add/").status_code == 403


def test_a_key_is_revoked_by_an_action_and_its_hash_never_shown(boss: Client, alice: User) -> None:
    key, _ = ApiKey.objects.issue(alice, "Shop")
    action = {"action": "revoke", "_selected_action": [key.pk]}

    shown = boss.get("/admin/chat/apikey/").content + boss.get(address_of_first("apikey")).content
    boss.post("/admin/chat/apikey/", action)

    key.refresh_from_db()
    assert key.revoked_at is not None
    assert key.shown.encode() in shown
    assert key.digest.encode() not in shown


def test_the_flow_of_a_fresh_install_cannot_be_deleted(boss: Client) -> None:
    default, other = Flow.objects.default(), Flow.objects.create(name="Clerk")
    action = {"action": "delete_selected", "_selected_action": [default.pk, other.pk], "post": "yes"}

    boss.post("/admin/chat/flow/", action)
    boss.post(f"/admin/chat/flow/{default.pk}/delete/", {"post": "yes"})

    assert set(Flow.objects.all()) == {default, other}


def test_deleting_flows_revokes_the_keys_that_were_for_one_alone(boss: Client, alice: User) -> None:
    add_chats(alice, 1)
    action = {"action": "delete_selected", "_selected_action": [Flow.objects.get().pk], "post": "yes"}

    boss.post("/admin/chat/flow/", action)

    assert not Flow.objects.exists()
    assert ApiKey.objects.get().revoked_at is not None


def test_a_person_with_keys_can_be_deleted(boss: Client, alice: User) -> None:
    add_chats(alice, 1)

    boss.post(f"/admin/chat/user/{alice.pk}/delete/", {"post": "yes"})

    assert not ApiKey.objects.exists()


def test_deleting_a_collection_takes_the_documents_that_only_it_holds(
    runtime: Runtime, boss: Client, alice: User
) -> None:
    add_chats(alice, 2)
    first, second = Document.objects.all()
    doomed = Collection.objects.filter(documents=first)
    action = {"action": "delete_selected", "_selected_action": [c.pk for c in doomed], "post": "yes"}

    boss.post("/admin/chat/collection/", action)

    assert Document.objects.get() == second


def test_a_document_is_not_deleted_without_its_file(boss: Client, alice: User) -> None:
    add_chats(alice, 1)

    boss.post(f"/admin/chat/document/{Document.objects.get().pk}/delete/", {"post": "yes"})

    assert Document.objects.exists()


def test_the_admin_may_style_inline_and_the_page_may_not(boss: Client) -> None:
    assert "style-src 'self' 'unsafe-inline'" in boss.get("/admin/")["Content-Security-Policy"]
    assert "script-src 'self';" in boss.get("/admin/")["Content-Security-Policy"]
    assert "'unsafe-inline'" not in boss.get("/accounts/login/")["Content-Security-Policy"]
