"""Bringing in conversations: our own file, those of other programs, and hostile ones."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from chat.http.actor import adopt
from chat.models import Actor, Conversation, Feedback, Message, Run, User
from chat.runs.keeping.chat_files import all_of
from chat.runs.keeping.chat_json import json_of
from chat.runs.keeping.importing import Outcome, Report, import_chats
from chat.runs.message_words import search_messages
from tests.web.downloading import downloaded
from tests.web.keeping_files import chatgpt_chat, open_webui_chat
from tests.web.test_export import a_chat

ClientOf = Callable[[User], Client]


def imported(content: Any, owner: User) -> list[Report]:
    """The reports on a file with this content, JSON unless it is bytes."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return list(import_chats(io.BytesIO(data), Actor(user=owner)))


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


def exported(owner: User) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("".join(json_of(all_of(Actor(user=owner)))))
    return found


def without_ids(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The conversations with places in the list instead of ids."""
    for chat in document["conversations"]:
        place = {message["id"]: number for number, message in enumerate(chat["messages"])} | {None: None}
        chat["leaf"] = place[chat["leaf"]]
        del chat["id"]
        for message in chat["messages"]:
            message["parent"], message["id"] = place[message["parent"]], place[message["id"]]
    found: list[dict[str, Any]] = document["conversations"]
    return found


class TestOurOwn:
    def test_it_comes_back_as_it_was(self, alice: User, bob: User) -> None:
        a_chat(alice, "One")
        a_chat(alice, "Two")
        before = exported(alice)

        reports = imported(before, bob)

        assert [report.outcome for report in reports] == [Outcome.ADDED] * 2
        assert without_ids(exported(bob)) == without_ids(before)

    def test_what_is_here_already_is_not_doubled(self, alice: User, bob: User) -> None:
        a_chat(alice)
        file = exported(alice)
        imported(file, bob)

        for owner in (alice, bob):
            assert [report.outcome for report in imported(file, owner)] == [Outcome.KNOWN]
        assert Conversation.objects.count() == 2

    def test_another_persons_id_gives_no_access(self, alice: User, charlie: User) -> None:
        chat = a_chat(alice)
        file = exported(alice)
        file["conversations"][0]["messages"] = file["conversations"][0]["messages"][:1]
        file["conversations"][0]["leaf"] = None

        (report,) = imported(file, charlie)

        assert report.conversation_id != chat.pk
        assert chat.messages.count() == 3

    def test_its_words_are_found(self, alice: User, bob: User) -> None:
        a_chat(alice)
        imported(exported(alice), bob)

        assert len(search_messages(Actor(user=bob), "four")) == 1


class TestChatGpt:
    def test_branches_models_and_times_are_kept(self, alice: User) -> None:
        (report,) = imported([chatgpt_chat()], alice)

        chat = Conversation.objects.get(pk=report.conversation_id)
        assert [message.text for message in chat.path()] == ["What is 2 + 2?", "Let me see.It is **4**."]
        assert chat.messages.count() == 3
        assert chat.messages.get(parts__0__text="Five.").parent == chat.path()[0]
        assert chat.created_at.timestamp() == 1700000000.5
        assert {run.model for run in Run.objects.all()} == {"gpt-4", "gpt-4o"}

    def test_the_zip_as_it_comes(self, alice: User) -> None:
        archive = zipped(chat__html=b"x", conversations__json=json.dumps([chatgpt_chat()]).encode())

        assert [report.outcome for report in imported(archive, alice)] == [Outcome.ADDED]
        assert [report.outcome for report in imported([chatgpt_chat()], alice)] == [Outcome.KNOWN]

    def test_one_that_was_deleted_is_brought_back(self, alice: User) -> None:
        (first,) = imported([chatgpt_chat()], alice)
        Conversation.objects.update(deleted_at="2026-01-01T00:00Z")

        (second,) = imported([chatgpt_chat()], alice)

        assert (second.outcome, second.conversation_id) == (Outcome.RESTORED, first.conversation_id)
        assert Conversation.objects.kept().count() == 1


class TestOpenWebUi:
    def test_branches_ratings_and_tags_are_kept(self, alice: User) -> None:
        imported([open_webui_chat()], alice)

        chat = Conversation.objects.get()
        assert [message.text for message in chat.path()] == ["Hi", "Good day"]
        assert chat.messages.filter(parent=None).count() == 2
        assert (Feedback.objects.get().rating, Feedback.objects.get().content) == ("down", "too short")
        assert [tag.name for tag in chat.tags.all()] == ["talk"]
        assert chat.pinned_at is not None


def ours(**changes: Any) -> dict[str, Any]:
    message = {"id": 1, "parent": None, "role": "user", "parts": [{"kind": "text", "text": "Hi"}]}
    chat = {"id": "x", "title": "T", "leaf": 1, "messages": [message | changes.pop("message", {})], **changes}
    return {"format": "parley-chats", "version": 1, "conversations": [chat]}


RING = {"a": {"parent": "b"}, "b": {"parent": "a"}}
NOT_A_PART = [{"kind": "script", "text": "x"}]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no export of conversations"),
        (b"null", "no export of conversations"),
        (b'"x"', "no export of conversations"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[{", "ends in the middle"),
        (b'[{"chat": {}}', "ends in the middle"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"chat": NaN}]', "NaN is no JSON"),
        (b'[{"a": ' + b"9" * 5000 + b"}]", "a number"),
        (b"PK\x03\x04 nothing", "damaged"),
        (zipped(other__json=b"[]"), "no conversations.json"),
        ([5], "Conversation 1 must be an object"),
        ([{"title": "x"}], "a form that is not known"),
        ([{"mapping": []}], "Conversation 1.mapping must be an object"),
        ([chatgpt_chat(mapping=RING)], "in a ring"),
        ([chatgpt_chat(mapping={"a": {"parent": "zzz"}})], "is missing"),
        ([chatgpt_chat(create_time="soon")], "Conversation 1.create_time must be a time"),
        ([chatgpt_chat(create_time=1e300)], "must be a time"),
        ([open_webui_chat(chat={"history": {"messages": {"a": 5}}})], "messages.a must be an object"),
        (ours() | {"version": 2}, "Only version 1"),
        (ours(leaf=7), "leaf is none of its messages"),
        (ours(title="x" * 121), "title has 121 characters"),
        (ours(params={"temperature": 99}), "no sampling parameters"),
        (ours(message={"parent": 1}), "messages[0].parent must be the id of a message before it"),
        (ours(message={"role": "system"}), 'must be "user" or "assistant"'),
        (ours(message={"parts": NOT_A_PART}), "no part of a message"),
        (ours(message={"parts": [{"kind": "text", "text": 5}]}), "messages[0].parts[0].text"),
        (ours(message={"runs": [{"status": "running"}]}), "runs[0].status must be one of"),
    ],
)
def test_a_bad_file_changes_nothing_and_is_told_why(alice: User, content: Any, complaint: str) -> None:
    *_, report = imported(content, alice)

    assert report.outcome is Outcome.FAILED
    assert complaint in report.reason
    assert not Conversation.objects.exists()


class TestHostile:
    def test_a_bad_one_does_not_stop_the_others(self, alice: User) -> None:
        reports = imported([chatgpt_chat(), {"mapping": 5}, open_webui_chat()], alice)

        assert [report.outcome for report in reports] == [Outcome.ADDED, Outcome.FAILED, Outcome.ADDED]

    def test_unknown_fields_set_nothing(self, alice: User, bob: User) -> None:
        imported(ours(owner=bob.pk, owner_id=bob.pk, chat_id="x", deleted_at="2026-01-01"), alice)

        chat = Conversation.objects.get()
        assert (chat.owner, chat.chat_id, chat.deleted_at) == (alice, "", None)

    def test_a_zip_bomb_is_cut_off(self, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chat.runs.keeping.chat_reader.MAX_JSON_BYTES", 2**20)

        (report,) = imported(zipped(conversations__json=b"[" + b" " * 2**22 + b"]"), alice)

        assert "longer than 1 MB unpacked" in report.reason

    def test_an_endless_conversation_is_cut_off(self, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chat.runs.keeping.chat_reader.MAX_CHAT_CHARS", 2**18)

        (report,) = imported(b'[{"chat": "' + b"x" * 2**21, alice)

        assert "longer than 262,144 characters" in report.reason

    def test_half_characters_and_nul_come_in_as_text(self, alice: User) -> None:
        content = {"content_type": "text", "parts": ["A\ud83dB\x00C"]}
        message = {"author": {"role": "user"}, "content": content}
        imported([{"mapping": {"\ud83d": {"message": message}}, "id": "\ud83d"}], alice)

        assert Message.objects.get().text == "A?BC"

    def test_scripts_in_it_do_not_run(self, alice: User, client_of: ClientOf) -> None:
        bad = "<script>alert(1)</script><img src=x onerror=alert(1)>"
        chat = open_webui_chat(title=bad)
        chat["chat"]["history"]["messages"]["a1"]["content"] = bad
        (report,) = imported([chat], alice)

        html = client_of(alice).get(f"/c/{report.conversation_id}").content.decode()

        assert "<script>alert" not in html
        assert "<img" not in html


class TestPage:
    def post(self, client: Client, content: Any) -> str:
        file = SimpleUploadedFile("export.json", json.dumps(content).encode())
        _, body = downloaded(client, "/account/import", {"file": file})
        return body.decode()

    def test_it_lists_what_became_of_each(self, alice: User, client_of: ClientOf) -> None:
        html = self.post(client_of(alice), [chatgpt_chat(), {"title": "<b>"}])

        assert f'<a href="/c/{Conversation.objects.get().pk}">Sums</a>' in html
        assert "Conversation 2 has a form that is not known" in html
        assert "Done. 1 added, 1 not imported." in html
        assert html.endswith("</html>\n")

    def test_a_guest_imports_for_themselves(
        self, transactional_db: None, client: Client, charlie: User
    ) -> None:
        client.get("/")
        self.post(client, [chatgpt_chat()])

        assert Conversation.objects.get().guest_key is not None
        assert not Conversation.objects.visible_to(Actor(user=charlie)).exists()

    def test_what_a_guest_imported_is_known_when_they_have_an_account(
        self, transactional_db: None, client: Client, bob: User
    ) -> None:
        client.get("/")
        self.post(client, [chatgpt_chat()])
        chat = Conversation.objects.get()
        adopt(chat.guest_key, bob)

        [report] = imported([chatgpt_chat()], bob)

        assert (report.outcome, report.conversation_id) == (Outcome.KNOWN, chat.pk)
        assert Conversation.objects.count() == 1

    def test_without_a_file_it_says_so(self, alice: User, client_of: ClientOf) -> None:
        response, body = downloaded(client_of(alice), "/account/import", {})

        assert response.status_code == 400
        assert b"No file was chosen" in body

    def test_too_many_are_told_to_wait(self, alice: User, client_of: ClientOf, still_clock: None) -> None:
        client = client_of(alice)

        assert "Too many requests" in [self.post(client, []) for _ in range(11)][-1]


class TestCommand:
    def test_it_brings_them_in(self, alice: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "conversations.json"
        file.write_text(json.dumps([chatgpt_chat()]))

        call_command("import_chats", str(file), user="alice")

        assert "1 added" in capsys.readouterr().out
        assert Conversation.objects.get().owner == alice

    def test_it_fails_plainly(self, alice: User, tmp_path: Path) -> None:
        (tmp_path / "bad.json").write_text("{}")
        with pytest.raises(CommandError, match="no account"):
            call_command("import_chats", "x", user="nobody")
        with pytest.raises(CommandError, match="No such file"):
            call_command("import_chats", str(tmp_path / "none"), user="alice")
        with pytest.raises(CommandError, match="1 could not be imported"):
            call_command("import_chats", str(tmp_path / "bad.json"), user="alice")
