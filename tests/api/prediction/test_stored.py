"""Stored messages, their ratings, and the other endpoints around a prediction."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.api.prediction.asking import TIMEOUT_S, Asker
from tests.api.prediction.conftest import Site
from tests.retrieval.file_makers import pdf_of


def contents(rows: list[dict[str, Any]]) -> list[str]:
    return [row["content"] for row in rows if row["role"] == "userMessage"]


class TestMessages:
    def test_rows_have_the_fields_that_front_ends_read(self, member: Asker, site: Site) -> None:
        reply = member.ask(
            "Hello", overrideConfig={"maxTokens": 4, "sessionId": "session-1"}, leadEmail="a@example.org"
        )

        question, answer = member.messages(sessionId="session-1")

        assert question["role"] == "userMessage"
        assert question["leadEmail"] == "a@example.org"
        assert answer["role"] == "apiMessage"
        assert answer["id"] == reply["chatMessageId"]
        assert answer["chatflowid"] == site.closed_flow
        assert answer["chatId"] == answer["sessionId"] == "session-1"
        assert answer["chatType"] == "EXTERNAL"
        assert answer["createdDate"].endswith("Z")
        assert answer["usedTools"] == answer["sourceDocuments"] == []

    def test_order_pages_and_filters(self, member: Asker) -> None:
        for question in ("one", "two", "three"):
            member.ask(question, chatId="ordered")

        assert contents(member.messages(chatId="ordered")) == ["one", "two", "three"]
        assert contents(member.messages(chatId="ordered", order="DESC")) == ["three", "two", "one"]
        assert contents(member.messages(chatId="ordered", page="2", limit="2")) == ["two"]
        assert member.messages(chatId="ordered", chatType="INTERNAL") == []
        assert member.messages(chatId="ordered", endDate="2020-01-01") == []
        assert len(member.messages(chatId="ordered", startDate="2020-01-01T00:00:00Z")) == 6
        [row] = member.messages(messageId=member.messages(chatId="ordered")[3]["id"])
        assert row["role"] == "apiMessage"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("order", "UP"),
            ("page", "0"),
            ("limit", "x"),
            ("limit", "²"),
            ("startDate", "2020-13-45"),
            ("chatType", "X"),
        ],
    )
    def test_wrong_filters_are_named(self, member: Asker, name: str, value: str) -> None:
        response = member.get("chatmessage", params={name: value})

        assert response.status_code == 400
        assert name in response.json()["message"]

    def test_outsiders_see_and_delete_nothing(
        self, member: Asker, asker_of: Callable[..., Asker], site: Site, asker: Asker
    ) -> None:
        member.ask("private", chatId="private")
        bob = asker_of(site.closed_flow, site.bobs_key)

        assert bob.messages(chatId="private") == []
        assert bob.request("DELETE", "chatmessage", params={"chatId": "private"}).json()["affected"] == 0
        for method in ("GET", "DELETE"):
            assert asker_of(site.closed_flow).request(method, "chatmessage").status_code == 401
            assert asker.request(method, "chatmessage").status_code == 401  # a guest must name the chat
            assert asker_of(site.open_flow, site.narrow_key).request(method, "chatmessage").status_code == 403
        assert contents(member.messages(chatId="private")) == ["private"]

    @pytest.mark.parametrize("query", [{}, {"hardDelete": "true"}])
    def test_a_deleted_chat_is_gone_and_its_name_free(self, member: Asker, query: dict[str, str]) -> None:
        member.ask("old", chatId="to-delete")

        deleted = member.request("DELETE", "chatmessage", params={"chatId": "to-delete"} | query)

        assert deleted.json() == {"raw": [], "affected": 2}
        assert member.messages(chatId="to-delete") == []
        member.ask("new", chatId="to-delete")
        assert contents(member.messages(chatId="to-delete")) == ["new"]
        member.request("DELETE", "chatmessage", params={"chatId": "to-delete"})

    def test_single_messages_are_not_deleted(self, member: Asker) -> None:
        assert member.request("DELETE", "chatmessage", params={"messageId": "x"}).status_code == 400


class TestFeedback:
    def test_a_guest_rates_changes_and_reads(self, asker: Asker, site: Site) -> None:
        reply = asker.ask("Hello", chatId="rated")
        given = {
            "chatId": "rated",
            "messageId": reply["chatMessageId"],
            "rating": "THUMBS_UP",
            "content": "good",
        }

        row = asker.post(given, "feedback").json()
        url = f"{site.url}/api/v1/feedback/{row['id']}"
        changed = requests.put(url, json={"rating": "THUMBS_DOWN"}, timeout=TIMEOUT_S).json()

        assert row == row | given
        assert changed == row | {"rating": "THUMBS_DOWN"}
        assert asker.get("feedback", "?chatId=rated").json() == [changed]
        assert asker.messages(chatId="rated")[1]["feedback"] == changed
        assert len(asker.messages(chatId="rated", feedbackType="THUMBS_DOWN")) == 1
        assert asker.messages(chatId="rated", feedbackType="THUMBS_UP") == []

    def test_of_others_messages_nothing_is_said(
        self, member: Asker, asker_of: Callable[..., Asker], site: Site
    ) -> None:
        reply = member.ask("Hello", chatId="mine-to-rate")
        given = {"chatId": "mine-to-rate", "messageId": reply["chatMessageId"], "rating": "THUMBS_UP"}
        bob = asker_of(site.closed_flow, site.bobs_key)
        row = member.post(given, "feedback").json()

        assert bob.post(given, "feedback").status_code == 404
        assert bob.get("feedback").json() == []
        assert asker_of(site.closed_flow).post(given, "feedback").status_code == 401
        url = f"{site.url}/api/v1/feedback/{row['id']}"
        assert requests.put(url, json={"rating": "THUMBS_DOWN"}, timeout=TIMEOUT_S).status_code == 401
        headers = {"Authorization": f"Bearer {site.bobs_key}"}
        changed = requests.put(url, json={"rating": "THUMBS_DOWN"}, headers=headers, timeout=TIMEOUT_S)
        assert changed.status_code == 404

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"messageId": str(uuid.uuid4())}, 404),
            ({"messageId": "x"}, 404),
            ({"chatId": "another"}, 400),
            ({"rating": "FINE"}, 400),
            ({"rating": None}, 400),
            ({"content": 5}, 400),
        ],
    )
    def test_wrong_ones_are_refused(self, member: Asker, changes: dict[str, Any], status: int) -> None:
        reply = member.ask("Hello", chatId="to-rate")
        given = {"chatId": "to-rate", "messageId": reply["chatMessageId"], "rating": "THUMBS_UP"}

        assert member.post(given | changes, "feedback").status_code == status

    def test_unknown_ratings_cannot_be_changed(self, site: Site) -> None:
        for name in (uuid.uuid4(), "x"):
            url = f"{site.url}/api/v1/feedback/{name}"
            assert requests.put(url, json={}, timeout=TIMEOUT_S).status_code == 404


class TestFlows:
    def test_streaming_is_told_to_everybody(self, asker_of: Callable[..., Asker], site: Site) -> None:
        assert asker_of(site.closed_flow).get("chatflows-streaming").json() == {"isStreaming": True}
        assert asker_of(str(uuid.uuid4())).get("chatflows-streaming").status_code == 404

    def test_the_chat_windows_settings_are_open_and_hold_no_secrets(
        self, asker_of: Callable[..., Asker], site: Site
    ) -> None:
        config = asker_of(site.shop_flow).get("public-chatbotConfig")

        assert config.json()["uploads"] == asker_of(site.shop_flow).get("chatflows-uploads").json()
        assert "allowedOrigins" not in config.text
        assert config.json()["uploads"]["isImageUploadAllowed"] is False

    def test_a_key_lists_the_flows_it_covers(self, asker_of: Callable[..., Asker], site: Site) -> None:
        def listed(key: str, query: str = "") -> requests.Response:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return requests.get(f"{site.url}/api/v1/chatflows{query}", headers=headers, timeout=TIMEOUT_S)

        assert len(listed(site.key).json()) == 6
        assert [flow["id"] for flow in listed(site.narrow_key).json()] == [site.open_flow]
        assert listed("").status_code == 401
        page = listed(site.key, "?page=2&limit=4").json()
        assert (len(page["data"]), page["total"]) == (2, 6)
        assert asker_of(site.open_flow, site.narrow_key).get("chatflows").json()["id"] == site.open_flow
        assert asker_of(site.closed_flow, site.narrow_key).get("chatflows").status_code == 403
        assert asker_of(site.closed_flow).get("chatflows").status_code == 401


def test_attachments_come_back_as_text(asker: Asker, member: Asker, asker_of: Any, site: Site) -> None:
    files = [("files", ("a.md", "# Zwö".encode(), "text/markdown"))]

    [row] = member.request("POST", "attachments", "/chat-1", files=files).json()

    assert row == {"name": "a.md", "mimeType": "text/markdown", "size": 6, "content": "# Zwö"}
    assert asker.request("POST", "attachments", "/chat-1", files=files).status_code == 200
    assert asker_of(site.closed_flow).request("POST", "attachments", "/c", files=files).status_code == 401
    assert asker.request("POST", "attachments", "/c").status_code == 400
    image = [("files", ("a.png", b"\x89PNG", "image/png"))]
    assert "text only" in asker.request("POST", "attachments", "/c", files=image).json()["message"]


def test_a_pdf_comes_back_as_its_text(asker: Asker) -> None:
    whole, broken = pdf_of("Tea is at four."), b"%PDF-1.7 and nothing else"

    [row] = asker.request("POST", "attachments", "/c", files={"files": ("a.pdf", whole)}).json()
    refused = asker.request("POST", "attachments", "/c", files={"files": ("b.pdf", broken)})

    assert row["content"].strip() == "Tea is at four."
    assert refused.status_code == 400
    assert "b.pdf" in refused.json()["message"]


def test_signs_of_life(site: Site) -> None:
    assert requests.get(f"{site.url}/api/v1/ping", timeout=TIMEOUT_S).text == "pong"
    assert requests.get(f"{site.url}/api/v1/version", timeout=TIMEOUT_S).json()["version"]
