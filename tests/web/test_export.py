"""Conversations as files: what is in them, what they are called, and whose they are."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.domain.events import ReasoningDelta, RunFinished, Source, SourcesFound, TextDelta
from chat.models import Actor, Conversation, ConversationTag, Feedback, Message, User
from chat.runs.branches import edit_answer
from chat.runs.keeping.chat_files import all_of
from chat.runs.keeping.chat_json import json_of
from tests.web.chatting import store_turn
from tests.web.downloading import downloaded

ClientOf = Callable[[User], Client]
DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "export.schema.json").read_text())


def a_chat(owner: User, title: str = "Sums") -> Conversation:
    """With two versions of an answer, thoughts, a source, a rating and a tag."""
    chat = Conversation.objects.create(
        owner=owner, title=title, updated_at=timezone.now(), params={"top_k": 5}
    )
    source = Source(1, "Book", "Two and two.", document_id="secret-id", page=3)
    events = [SourcesFound((source,)), ReasoningDelta("Hm."), TextDelta("Four [1]"), RunFinished("stop")]
    run = store_turn(chat, "2 + 2?", events)
    Feedback.objects.create(message=run.reply, rating="up", content="Yes")
    ConversationTag.objects.create(conversation=chat, name="maths")
    edit_answer(run.reply, "Five")
    chat.refresh_from_db()
    return chat


def exported(client: Client, path: str) -> dict[str, Any]:
    """The file, which must keep to the schema."""
    _, content = downloaded(client, path)
    document: dict[str, Any] = json.loads(content)
    jsonschema.validate(document, SCHEMA)
    return document


class TestJson:
    def test_it_holds_the_whole_tree(self, alice: User, client_of: ClientOf) -> None:
        chat = a_chat(alice)

        (found,) = exported(client_of(alice), f"/c/{chat.pk}/export.json")["conversations"]

        question, answer, edited = found["messages"]
        assert (found["title"], found["tags"], found["params"]) == ("Sums", ["maths"], {"top_k": 5})
        assert found["leaf"] == edited["id"]
        assert answer["parent"] == edited["parent"] == question["id"]
        assert [part["kind"] for part in answer["parts"]] == ["reasoning", "text"]
        assert answer["feedback"][0]["content"] == "Yes"
        (run,) = answer["runs"]
        assert (run["model"], run["status"]) == ("starter", "done")
        assert run["sources"][0]["title"] == "Book"
        assert "secret-id" not in json.dumps(found)

    def test_all_are_one_file_without_the_deleted_and_without_others(
        self, alice: User, bob: User, client_of: ClientOf
    ) -> None:
        a_chat(alice, "One")
        a_chat(alice, "Two")
        a_chat(bob, "Bobs")
        Conversation.objects.filter(pk=a_chat(alice, "Gone").pk).update(deleted_at=timezone.now())

        found = exported(client_of(alice), "/account/export.json")["conversations"]

        assert [each["title"] for each in found] == ["Two", "One"]

    def test_a_guest_takes_theirs_along(self, transactional_db: None, client: Client) -> None:
        client.get("/")
        assert exported(client, "/account/export.json")["conversations"] == []

    def test_the_example_in_the_docs_keeps_to_the_schema(self) -> None:
        (example,) = re.findall(r"```json\n(.*?)```", (DOCS / "export.md").read_text(), re.DOTALL)

        jsonschema.validate(json.loads(example), SCHEMA)


class TestMarkdown:
    def test_it_is_the_shown_branch(self, alice: User, client_of: ClientOf) -> None:
        chat = a_chat(alice)
        Conversation.objects.filter(pk=chat.pk).update(leaf=Message.objects.get(parts__1__text="Four [1]"))

        _, content = downloaded(client_of(alice), f"/c/{chat.pk}/export.md")

        text = content.decode()
        assert text.startswith("# Sums\n")
        assert "## Question\n\n2 + 2?\n" in text
        assert "## Answer by starter\n\n> Hm.\n\nFour [1]\n\nSources:\n\n1. Book, page 3\n" in text
        assert "Five" not in text

    @pytest.mark.parametrize(
        "title", ["../../etc/passwd", "..\\x", "C:x\r\nSet-Cookie: a", "\u202egnp.exe", "x" * 120]
    )
    def test_names_of_files_are_harmless(self, alice: User, client_of: ClientOf, title: str) -> None:
        chat = a_chat(alice, title)
        client = client_of(alice)

        response, _ = downloaded(client, f"/c/{chat.pk}/export.md")
        _, archive = downloaded(client, "/account/export.zip")

        assert re.fullmatch(r'attachment; filename="[a-z0-9-]{1,80}\.md"', response["Content-Disposition"])
        (name,) = zipfile.ZipFile(io.BytesIO(archive)).namelist()
        assert re.fullmatch(r"[a-z0-9_-]{1,80}\.md", name)

    def test_the_zip_has_a_file_for_each(self, alice: User, client_of: ClientOf) -> None:
        a_chat(alice, "Same")
        a_chat(alice, "Same")

        _, content = downloaded(client_of(alice), "/account/export.zip")

        archive = zipfile.ZipFile(io.BytesIO(content))
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == 2
        assert archive.read(archive.namelist()[0]).startswith(b"# Same\n")


class TestAccess:
    @pytest.mark.parametrize("kind", ["json", "md"])
    def test_an_outsider_is_given_nothing(
        self, alice: User, charlie: User, client_of: ClientOf, client: Client, kind: str
    ) -> None:
        chat = a_chat(alice)

        for outsider in (client_of(charlie), client):
            response, content = downloaded(outsider, f"/c/{chat.pk}/export.{kind}")
            assert response.status_code == 404
            assert b"2 + 2" not in content

    def test_the_files_are_not_shown_and_not_kept(self, alice: User, client_of: ClientOf) -> None:
        response, _ = downloaded(client_of(alice), "/account/export.json")

        assert response["Content-Disposition"].startswith("attachment")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Cache-Control"] == "no-store"

    def test_the_ways_to_it_are_on_the_pages(self, alice: User, client_of: ClientOf) -> None:
        chat, client = a_chat(alice), client_of(alice)

        settings = client.get(f"/c/{chat.pk}/settings").content.decode()

        assert f'href="/c/{chat.pk}/export.json"' in settings
        assert f'href="/c/{chat.pk}/settings#export"' in client.get("/").content.decode()
        assert 'href="/account/export.json"' in client.get("/account/data").content.decode()


def test_an_export_takes_few_queries_for_many_messages(alice: User) -> None:
    chat = a_chat(alice)
    for number in range(30):
        store_turn(chat, str(number), [TextDelta("x"), RunFinished("stop")])

    with CaptureQueriesContext(connection) as queries:
        text = "".join(json_of(all_of(Actor(user=alice))))

    assert text.count('"role"') == 63
    assert len(queries) <= 9
