"""The review: staff find and read what others asked, which leaves an entry in the audit log; nobody else can."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.domain.events import (
    Event,
    RunFailed,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.models import AuditEntry, Conversation, Feedback, Flow, Review, ReviewNote, User
from chat.runs.message_words import index_messages
from tests.web.chatting import store_turn
from tests.web.filing import chat_of, deleted_chat_of
from tests.web.page_dom import Page
from tests.web.xss_payloads import PAYLOADS

ClientOf = Callable[[User], Client]
USAGE = UsageReported(9, 0, 2, 1, 2, 3)
ANSWER = (RunStarted("starter"), TextDelta("Nine."), USAGE, RunFinished("stop"))
FAILURE = RunFailed("overloaded", "Too much")
FORBIDDEN_TAGS = {"img", "iframe", "style", "base", "hx-partial", "noscript", "template"}


@pytest.fixture
def bosses_account(transactional_db: None) -> User:
    return User.objects.create_user("boss", password="a-long-password-4", is_staff=True)


@pytest.fixture
def boss(bosses_account: User, client_of: ClientOf) -> Client:
    return client_of(bosses_account)


def chat(
    owner: User, title: str = "Chat", *events: Event, question: str = "When?", minutes_ago: int = 0
) -> Conversation:
    """A conversation with one turn, last changed so long ago."""
    made = chat_of(owner)
    run = store_turn(made, question, events or ANSWER)
    index_messages([run.reply.parent, run.reply])
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    Conversation.objects.filter(pk=made.pk).update(title=title, updated_at=moment)
    made.refresh_from_db()
    return made


def titles(browser: Client, **asked: str) -> list[str]:
    response = browser.get("/review/", asked)
    assert response.status_code == 200
    return [row.conversation.title for row in response.context["rows"]]


class TestAccess:
    def test_for_an_outsider_the_pages_do_not_exist(
        self, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        shown = chat(alice)
        for outsider in (Client(), client_of(charlie), client_of(alice)):
            for address in ("", "audit", shown.pk):
                assert outsider.get(f"/review/{address}").status_code == 404
            assert outsider.post(f"/review/{shown.pk}/status", {"status": "flagged"}).status_code == 404
            assert outsider.post(f"/review/{shown.pk}/notes", {"text": "Hm"}).status_code == 404
        assert not any(model.objects.exists() for model in (AuditEntry, Review, ReviewNote))

    def test_the_audit_log_is_for_superusers(self, boss: Client, alice: User, client_of: ClientOf) -> None:
        shown = chat(alice, "Opening hours")
        boss.get(f"/review/{shown.pk}")
        owner = User.objects.create_superuser("owner", password="a-long-password-5")

        assert boss.get("/review/audit").status_code == 404
        html = client_of(owner).get("/review/audit").content.decode()

        assert "boss" in html
        assert "read conversation" in html
        assert "Opening hours" in html

    def test_changes_need_the_token_of_our_own_page(self, boss: Client, alice: User) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = boss.cookies

        for verb in ("status", "notes"):
            assert strict.post(f"/review/{chat(alice).pk}/{verb}", {"text": "x"}).status_code == 403

    def test_the_owner_sees_nothing_of_notes(self, boss: Client, alice: User, client_of: ClientOf) -> None:
        shown = chat(alice)
        boss.post(f"/review/{shown.pk}/notes", {"text": "Looks odd"})

        assert "Looks odd" in boss.get(f"/review/{shown.pk}").content.decode()
        assert "Looks odd" not in client_of(alice).get(f"/c/{shown.pk}").content.decode()


class TestQueue:
    def test_all_are_there_newest_first_deleted_ones_too(self, boss: Client, alice: User, bob: User) -> None:
        chat(alice, "older", minutes_ago=5)
        chat(bob, "newer")
        deleted_chat_of(bob)

        html = boss.get("/review/").content.decode()

        assert titles(boss) == ["", "newer", "older"]
        assert "Deleted" in html

    def test_filters_narrow_it(self, boss: Client, alice: User, bob: User) -> None:
        tool = (
            RunStarted("other"),
            ToolStarted("1", "calculator", {"expression": "2+2"}),
            ToolFinished("1", "calculator", "4", is_error=False, duration_ms=1),
            *ANSWER[1:],
        )
        plain = chat(alice, "plain", minutes_ago=3 * 24 * 60)
        chat(bob, "tool", *tool, question="What is 2+2? Use the calculator.", minutes_ago=2)
        chat(bob, "broken", RunStarted("starter"), RunFailed("overloaded", "Too much"), minutes_ago=1)
        Feedback.objects.create(message=plain.leaf, rating="down", content="No")
        plain.flow = Flow.objects.create(name="Clerk")
        plain.save()
        Review.objects.create(conversation=plain, status="flagged")
        guest = Conversation.objects.create(guest_key=uuid.uuid4(), title="guest", updated_at=timezone.now())
        today = timezone.localdate().isoformat()

        assert titles(boss, person="AL") == ["plain"]
        assert titles(boss, person="guest") == [guest.title]
        assert titles(boss, tool="calculator") == ["tool"]
        assert titles(boss, failed="on") == ["broken"]
        assert titles(boss, feedback="down") == titles(boss, feedback="any") == ["plain"]
        assert titles(boss, feedback="up") == []
        assert titles(boss, flow=str(plain.flow.pk)) == titles(boss, status="flagged") == ["plain"]
        assert titles(boss, status="new") == ["guest", "broken", "tool"]
        assert "plain" not in titles(boss, since=today)
        assert titles(boss, until=(timezone.localdate() - timedelta(days=1)).isoformat()) == ["plain"]
        assert titles(boss, model="OTHER") == ["tool"]
        assert titles(boss, model="starter", person="bob") == ["broken"]
        assert titles(boss, q="CALCUL") == ["tool"]
        assert titles(boss, q="broken") == ["broken"]

    @pytest.mark.parametrize("text", ['"', "a AND (", "*", "-x", "%", "' OR 1=1", "NEAR(", "\x00"])
    def test_any_text_and_any_value_is_an_answerable_question(
        self, boss: Client, alice: User, text: str
    ) -> None:
        chat(alice)

        for name in ("q", "person", "model", "tool", "since", "flow", "status", "feedback", "after"):
            assert boss.get("/review/", {name: text}).status_code == 200

    def test_a_long_queue_has_pages_and_needs_no_more_queries(self, boss: Client, alice: User) -> None:
        def num_queries() -> int:
            with CaptureQueriesContext(connection) as queries:
                boss.get("/review/")
            return len(queries)

        chat(alice, "first")
        short = num_queries()
        now = timezone.now()
        Conversation.objects.bulk_create(
            Conversation(owner=alice, title=f"{n}", updated_at=now - timedelta(minutes=n))
            for n in range(1, 75)
        )

        assert num_queries() == short < 12
        older = boss.get("/review/").context["older"]
        assert [len(titles(boss)), len(titles(boss, after=str(older)))] == [50, 25]


class TestReading:
    def test_it_is_recorded_and_new_becomes_seen(
        self, boss: Client, bosses_account: User, alice: User
    ) -> None:
        shown = chat(alice)

        html = boss.get(f"/review/{shown.pk}").content.decode()

        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.actor_name, entry.conversation_id) == (bosses_account, "boss", shown.pk)
        assert entry.action == "read conversation"
        assert shown.review.status == "seen"
        assert "When?" in html
        assert "Nine." in html

    def test_there_is_nothing_to_act_on(self, boss: Client, alice: User) -> None:
        shown = chat(alice, "Chat", RunStarted("starter"), RunFailed("overloaded", "Too much", "Wait"))
        Feedback.objects.create(message=shown.leaf, rating="down", content="It broke")

        html = boss.get(f"/review/{shown.pk}").content.decode()

        for word in ("Too much", "Wait", "overloaded", "It broke", "Bad answer"):
            assert word in html
        for verb in ("regenerate", "edit", "fork", "continue", "good", "bad", "share"):
            assert f"/{verb}" not in html

    def test_previous_and_next_stay_in_the_filtered_queue(self, boss: Client, alice: User, bob: User) -> None:
        chats = [
            chat(owner, f"{n}", minutes_ago=n) for n, owner in enumerate((alice, bob, alice, bob, alice))
        ]

        context = boss.get(f"/review/{chats[2].pk}?person=alice").context
        first, last = boss.get(f"/review/{chats[0].pk}").context, boss.get(f"/review/{chats[4].pk}").context

        assert (context["previous_id"], context["next_id"]) == (chats[0].pk, chats[4].pk)
        assert (first["previous_id"], last["next_id"]) == (None, None)
        assert (
            f'href="/review/{chats[4].pk}?person=alice" rel="next"'
            in boss.get(f"/review/{chats[2].pk}?person=alice").content.decode()
        )

    def test_status_and_notes_are_kept_and_recorded(self, boss: Client, alice: User) -> None:
        shown = chat(alice)

        response = boss.post(f"/review/{shown.pk}/status?person=alice", {"status": "flagged"})
        boss.post(f"/review/{shown.pk}/notes", {"text": " Look again "})

        assert (response.status_code, response["Location"]) == (303, f"/review/{shown.pk}?person=alice")
        assert shown.review.status == "flagged"
        assert shown.review_notes.get().text == "Look again"
        assert list(AuditEntry.objects.order_by("pk").values_list("action", "detail")) == [
            ("set status", {"status": "flagged"}),
            ("add note", {}),
        ]
        assert boss.post(f"/review/{shown.pk}/status", {"status": "gone"}).status_code == 400
        assert boss.post(f"/review/{shown.pk}/notes", {"text": " "}).status_code == 400

    def test_nothing_hostile_becomes_markup(self, boss: Client, bosses_account: User) -> None:
        evil = User.objects.create(username="<img src=x onerror=alert(1)>")
        shown = chat_of(evil)
        for payload in PAYLOADS.values():
            run = store_turn(shown, payload, (RunStarted(payload[:200]), TextDelta(payload), USAGE, FAILURE))
            run.error_message = run.error_hint = payload
            run.save()
            Feedback.objects.create(message=run.reply, rating="up", content=payload)
            ReviewNote.objects.create(conversation=shown, text=payload, author=evil)
            Conversation.objects.create(owner=evil, title=payload[:120], updated_at=timezone.now())

        before, num_pages = "", 0
        while before is not None:
            response = boss.get(f"/review/{shown.pk}", {"before": before})
            before, num_pages = response.context["page"].earlier_before, num_pages + 1
            assert_harmless(response.content.decode())
        assert num_pages == 3
        queue = boss.get("/review/")
        assert_harmless(queue.content.decode())
        assert_harmless(boss.get("/review/", {"after": str(queue.context["older"])}).content.decode())


def assert_harmless(html: str) -> None:
    """No tag, attribute or address that a model or a person could have brought in."""
    for node, _ in Page(html).root.walk():
        assert node.tag not in FORBIDDEN_TAGS
        assert node.tag != "script" or str(node.attributes.get("src", "")).startswith("/static/")
        for attribute, value in node.attributes.items():
            assert not attribute.startswith(("on", "data-hx", "sse-"))
            assert attribute not in ("style", "hx-swap-oob", "hx-boost")
            if attribute in ("href", "src", "action", "formaction"):
                assert not str(value).lower().strip().startswith(("javascript:", "vbscript:", "data:"))
