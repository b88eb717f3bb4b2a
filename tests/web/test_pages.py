"""The chat's pages: what they show, to whom, and at what cost."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import Conversation, Message, Run, RunStatus, User
from chat.runtime import Runtime, close_runtime
from chat.web.sidebar import day_label
from tests.conftest import long_answers
from tests.web.chatting import HTMX, finished_chat, start_chat, url_of
from tests.web.page_dom import parse

ClientOf = Callable[[User], Client]


def long_chat(owner: User, num_turns: int) -> Conversation:
    """A conversation with questions and answers that were written long ago."""
    conversation = Conversation.objects.create(owner=owner, title="Long", updated_at=timezone.now())
    parent = None
    for n in range(num_turns):
        for role in (Message.Role.USER, Message.Role.ASSISTANT):
            parts = [{"kind": "text", "text": f"{role} number {n}"}]
            parent = Message.objects.create(conversation=conversation, parent=parent, role=role, parts=parts)
        Run.objects.create(
            conversation=conversation, reply=parent, status=RunStatus.DONE, model="tiny", finish_reason="stop"
        )
    conversation.leaf = parent
    conversation.save()
    return conversation


class TestNewChat:
    def test_a_visitor_can_write_at_once(self, runtime: Runtime, client: Client) -> None:
        html = client.get("/").content.decode()

        assert 'name="text"' in html
        assert "What can you do?" in html
        assert "tiny" in html

    def test_the_stream_extension_is_there_before_htmx_looks_at_the_page(
        self, runtime: Runtime, client: Client
    ) -> None:
        html = client.get("/").content.decode()

        assert (
            '<script src="/static/vendor/htmx/htmx.min.js"></script>\n<script src="/static/vendor/htmx/hx-sse'
            in html
        )

    def test_every_tag_of_the_page_is_closed(self, runtime: Runtime, client: Client) -> None:
        html = client.get("/").content.decode()

        assert parse(html.replace("<!doctype html>", ""))

    def test_without_a_model_the_page_says_where_to_put_one_and_what_is_wrong_with_others(
        self, runtime: Runtime, client: Client, settings: Any, tmp_path: Path
    ) -> None:
        folder = tmp_path / "secret-place"
        folder.mkdir()
        (folder / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 40)
        settings.PARLEY_MODELS_DIR = folder
        close_runtime()

        html = client.get("/").content.decode()

        assert "There is no model yet" in html
        assert "broken" in html
        assert "secret-place" not in html
        assert "disabled" in html

    def test_the_theme_is_in_the_first_byte_of_the_page(self, runtime: Runtime, client: Client) -> None:
        client.post("/theme", {"theme": "dark"})

        assert 'data-theme="dark"' in client.get("/").content.decode()

    def test_an_unknown_theme_is_refused(self, runtime: Runtime, client: Client) -> None:
        assert client.post("/theme", {"theme": '"><script>'}).status_code == 400

    def test_a_made_up_theme_cookie_does_no_harm(self, runtime: Runtime, client: Client) -> None:
        client.cookies["theme"] = "x onload=alert(1)"

        assert 'data-theme="system"' in client.get("/").content.decode()


class TestConversation:
    def test_it_shows_the_question_and_the_answer(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client, "Tell me <b>something</b>")

        html = client.get(url_of(run)).content.decode()

        assert "Tell me &lt;b&gt;something&lt;/b&gt;" in html
        assert 'aria-label="You"' in html
        assert 'aria-label="Parley"' in html
        assert "tokens/s" in html

    def test_the_cost_does_not_grow_with_the_number_of_messages(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        counts = []
        for num_turns in (2, 60):
            conversation = long_chat(alice, num_turns)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert client.get(f"/c/{conversation.pk}").status_code == 200
            counts.append(len(queries))

        assert counts[0] == counts[1]
        assert counts[0] <= 13

    def test_a_long_chat_shows_the_last_messages_and_a_way_to_earlier_ones(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        conversation = long_chat(alice, 60)
        first_shown = conversation.path_ids()[-50]

        html = client.get(f"/c/{conversation.pk}").content.decode()
        earlier = client.get(f"/c/{conversation.pk}?before={first_shown}").content.decode()

        assert html.count("<article") == 50
        assert f"?before={first_shown}" in html
        assert "user number 59" in html
        assert "user number 34" in earlier
        assert "user number 35" not in earlier
        assert "Back to the newest messages" in earlier

    def test_earlier_messages_come_as_a_fragment_for_htmx(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        conversation = long_chat(alice, 30)
        first_shown = conversation.path_ids()[-50]

        html = (
            client_of(alice).get(f"/c/{conversation.pk}?before={first_shown}", headers=HTMX).content.decode()
        )

        assert html.count("<article") == 10
        assert "<html" not in html
        assert "Show earlier" not in html

    @pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "0"])
    def test_nonsense_in_the_address_does_no_harm(
        self, runtime: Runtime, alice: User, client_of: ClientOf, before: str
    ) -> None:
        conversation = long_chat(alice, 1)

        assert client_of(alice).get(f"/c/{conversation.pk}?before={before}").status_code == 200

    def test_opening_it_takes_the_unread_mark_away(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        assert Conversation.objects.get().is_unread
        assert "New answer" in client.get("/").content.decode()

        client.get(url_of(run))

        assert not Conversation.objects.get().is_unread

    @long_answers
    def test_while_an_answer_is_written_a_page_without_scripts_refreshes_itself(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = start_chat(client)

        first = client.get(url_of(run)).content.decode()
        second = client.get(f"{url_of(run)}?refresh=1").content.decode()
        runtime.runs.cancel(run)

        address = f"{url_of(run)}?refresh={{}}#message-{run.reply_id}"
        assert (
            f'<noscript><meta http-equiv="refresh" content="2; url={address.format(1)}"></noscript>' in first
        )
        assert address.format(2) in second


class TestSidebar:
    def test_one_query_lists_any_number_of_chats(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        counts = []
        for num_chats in (1, 30):
            for _ in range(num_chats):
                Conversation.objects.create(owner=alice, title="Chat", updated_at=timezone.now())
            with CaptureQueriesContext(connection) as queries:
                client.get("/sidebar")
            counts.append(len(queries))

        assert counts[0] == counts[1]

    def test_it_lists_only_ones_own(
        self, runtime: Runtime, alice: User, bob: User, client_of: ClientOf
    ) -> None:
        Conversation.objects.create(owner=alice, title="Alice's secret", updated_at=timezone.now())

        assert "secret" not in client_of(bob).get("/sidebar").content.decode()

    @pytest.mark.parametrize(
        ("age_days", "label"),
        [(-1, "Today"), (0, "Today"), (1, "Yesterday"), (2, "Previous 7 days"), (7, "Previous 7 days"),
         (8, "May"), (40, "April"), (200, "November 2025")],
    )  # fmt: skip
    def test_chats_are_grouped_by_day(self, age_days: int, label: str) -> None:
        today = date(2026, 5, 28)

        assert day_label(today - timedelta(days=age_days), today) == label

    @long_answers
    def test_a_running_chat_has_a_mark(self, runtime: Runtime, alice: User, client_of: ClientOf) -> None:
        client = client_of(alice)
        run = start_chat(client)

        html = client.get("/").content.decode()
        runtime.runs.cancel(run)

        assert "Writing: " in html


PAGES = ["", "/rename", "/delete", "?before=3"]
POSTS = ["/messages", "/rename", "/delete", "/restore", "/seen"]


class TestOutsiders:
    @pytest.mark.parametrize("path", PAGES)
    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_another_persons_pages_do_not_exist(
        self,
        runtime: Runtime,
        alice: User,
        charlie: User,
        client_of: ClientOf,
        path: str,
        headers: dict[str, str],
    ) -> None:
        conversation = long_chat(alice, 1)

        response = client_of(charlie).get(f"/c/{conversation.pk}{path}", headers=headers)

        assert response.status_code == 404
        assert b"number 0" not in response.content

    @pytest.mark.parametrize("path", POSTS)
    def test_another_persons_chat_cannot_be_changed(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf, path: str
    ) -> None:
        conversation = long_chat(alice, 1)

        response = client_of(charlie).post(f"/c/{conversation.pk}{path}", {"text": "Hi", "title": "Mine now"})

        assert response.status_code == 404
        assert Conversation.objects.get().title == "Long"
        assert Message.objects.count() == 2

    @pytest.mark.parametrize("verb", ["regenerate", "continue"])
    def test_another_persons_answer_cannot_be_written_again(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf, verb: str
    ) -> None:
        long_chat(alice, 1)
        reply = Message.objects.get(role="assistant")

        assert client_of(charlie).post(f"/messages/{reply.pk}/{verb}").status_code == 404
        assert Run.objects.count() == 1

    def test_a_guest_sees_no_more_than_an_outsider(
        self, runtime: Runtime, alice: User, client: Client
    ) -> None:
        conversation = long_chat(alice, 1)

        assert client.get(f"/c/{conversation.pk}").status_code == 404

    def test_a_deleted_chat_is_offered_back_to_its_owner_only(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        conversation = long_chat(alice, 1)
        runtime.runs.delete(conversation)
        address = f"/?deleted={conversation.pk}"

        assert "Undo" in client_of(alice).get(address).content.decode()
        assert "Undo" not in client_of(charlie).get(address).content.decode()

    def test_a_made_up_address_is_not_found(self, runtime: Runtime, alice: User, client_of: ClientOf) -> None:
        client = client_of(alice)

        assert client.get(f"/c/{uuid.uuid4()}").status_code == 404
        assert client.post("/messages/999999999999999999999/continue").status_code == 404
