"""What a request may hold in each of its three content types, and how each wrong field is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import requests

from tests.api.prediction.asking import SHORT, TIMEOUT_S, Asker

HELLO = {"question": "Hello"}


def post_raw(asker: Asker, body: bytes, content_type: str = "application/json") -> requests.Response:
    return requests.post(asker.url(), data=body, headers={"Content-Type": content_type}, timeout=TIMEOUT_S)


def data_uri(content: bytes, mime: str = "text/plain") -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def upload(**fields: Any) -> dict[str, Any]:
    return {"question": "Hello", "uploads": [{"type": "file:full", "name": "a.txt", "data": "x"} | fields]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"question": "\xff"}',
        b'{"question": "\\ud83d"}',
        b'{"question": NaN}',
        b'{"overrideConfig": {"temperature": 1e400}, "question": "x"}',
        b"[" * 100_000,
        b'{"question": ' + b"[" * 100_000,
    ],
)
def test_bodies_that_are_no_json_object_are_refused(asker: Asker, body: bytes) -> None:
    response = post_raw(asker, body)

    assert response.status_code == 400
    assert response.json().keys() == {"statusCode", "success", "message", "stack"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": " \n\x00"}, "empty"),
        ({"question": 5}, "question must be a string"),
        ({"question": "x" * 100_001}, "100,000"),
        ({"chatId": 5}, "chatId"),
        ({"chatId": "x" * 201}, "chatId"),
        ({"chatId": "a\nb"}, "chatId"),
        ({"overrideConfig": []}, "overrideConfig must be an object"),
        ({"overrideConfig": {"sessionId": 5}}, "overrideConfig.sessionId"),
        ({"overrideConfig": {"temperature": 5}}, "overrideConfig.temperature"),
        ({"overrideConfig": {"temperature": "warm"}}, "overrideConfig.temperature"),
        ({"overrideConfig": {"temperature": True}}, "overrideConfig.temperature"),
        ({"overrideConfig": {"temperature": "nan"}}, "overrideConfig.temperature"),
        ({"overrideConfig": {"maxTokens": 0}}, "overrideConfig.maxTokens"),
        ({"overrideConfig": {"maxTokens": 1.5}}, "overrideConfig.maxTokens"),
        ({"overrideConfig": {"maxTokens": 2**63}}, "overrideConfig.maxTokens"),
        ({"overrideConfig": {"maxTokens": 10**400}}, "overrideConfig.maxTokens"),
        ({"overrideConfig": {"topP": -1}}, "overrideConfig.topP"),
        ({"overrideConfig": {"topK": {"node_0": -5}}}, "overrideConfig.topK"),
        ({"overrideConfig": {"stop": [5]}}, "overrideConfig.stop"),
        ({"overrideConfig": {"stop": ["a"] * 17}}, "overrideConfig.stop"),
        ({"overrideConfig": {"systemMessage": 5}}, "overrideConfig.systemMessage"),
        ({"overrideConfig": {"vars": {"a": {}}}}, "overrideConfig.vars.a"),
        ({"history": {}}, "history must be an array"),
        ({"history": ["x"]}, "history[0]"),
        ({"history": [{"message": "x"}]}, "history[0].type"),
        ({"history": [{"role": "owner", "content": "x"}]}, "history[0].role"),
        ({"form": {"a": 1}}, "form"),
        ({"form": []}, "form must be an object"),
        ({"humanInput": {"type": "proceed", "startNodeId": "x"}}, "humanInput"),
        ({"action": {"id": "x"}}, "action"),
        (upload(type="audio", mime="audio/webm"), "text only"),
        (upload(type="file", mime="image/png", data=data_uri(b"x", "image/png")), "text only"),
        (upload(type="file", data=data_uri(b"\x89PNG\x00\xff", "image/png")), "text only"),
        (upload(type="file", data=data_uri(b"%PDF\xff\xfe", "application/pdf")), "text only"),
        (upload(type="file", data="data:text/plain;base64,!"), "base64"),
        (upload(type="file", data="data:text/plain"), "comma"),
        (upload(type="file", data="hello"), "data URI"),
        (upload(type="url", data="http://127.0.0.1/"), "fetches nothing"),
        (upload(type="file:rag"), "uploads[0].type"),
        (upload(data=None), "uploads[0].data"),
        ({"uploads": [{"type": "file:full", "data": "x"}] * 21}, "20 files"),
    ],
)  # fmt: skip
def test_wrong_fields_are_named(asker: Asker, body: dict[str, Any], words: str) -> None:
    body = body if "question" in body or not body else HELLO | body

    response = asker.request("POST", "prediction", json=body)

    assert response.status_code == 400, response.text
    assert words in response.json()["message"]
    assert response.json()["success"] is False


@pytest.mark.parametrize(
    "body",
    [
        {
            "chatId": None,
            "history": None,
            "uploads": [],
            "humanInput": None,
            "action": None,
            "form": None,
            "leadEmail": "a@example.org",
            "nobody": "knows",
        },
        {
            "overrideConfig": {
                "maxTokens": "4",
                "temperature": {"chat_0": "0.5"},
                "topP": 0.5,
                "topK": 10,
                "stop": "a,b",
                "returnSourceDocuments": True,
            }
        },
    ],
)
def test_what_clients_send_along_is_taken(asker: Asker, body: dict[str, Any]) -> None:
    assert asker.ask("Hello", **body)["text"]


def test_files_stand_before_the_question(asker: Asker) -> None:
    uploads = [
        {"type": "file:full", "name": "a.txt", "mime": "text/plain", "data": "one"},
        {
            "type": "file",
            "name": "b.md",
            "mime": "text/markdown",
            "data": data_uri("zwö".encode(), "text/markdown"),
        },
    ]

    reply = asker.ask("Sum up", uploads=uploads)

    question, _answer = asker.messages(chatId=reply["chatId"])
    assert question["content"] == "Sum up"
    assert [file["name"] for file in question["fileUploads"]] == ["a.txt", "b.md"]


def test_history_in_both_spellings_comes_before_the_first_question(asker: Asker) -> None:
    history = [
        {"message": "one", "type": "userMessage"},
        {"role": "apiMessage", "content": "two", "message": "ignored", "type": "userMessage"},
    ]
    reply = asker.ask("three", history=history)
    asker.ask("five", chatId=reply["chatId"], history=history)

    contents = [row["content"] for row in asker.messages(chatId=reply["chatId"])]
    assert contents[:3] == ["one", "two", "three"]
    assert contents[4] == "five"
    assert len(contents) == 6


def test_a_form_instead_of_a_question_becomes_text(asker: Asker) -> None:
    reply = asker.request(
        "POST", "prediction", json={"form": {"city": "Rome"}, "overrideConfig": SHORT}
    ).json()

    assert reply["form"] == {"city": "Rome"}
    assert reply["text"]


class TestForms:
    def test_urlencoded(self, asker: Asker) -> None:
        fields = {"question": "Hällo", "maxTokens": "4", "sessionId": "s-1", "history": "[]"}

        reply = asker.request("POST", "prediction", data=fields).json()

        assert reply["question"] == "Hällo"
        assert reply["chatId"] == reply["sessionId"] == "s-1"
        assert reply["usage"]["output_tokens"] == 4

    def test_multipart_with_files_and_flat_settings(self, asker: Asker) -> None:
        files = [("files", ("a.txt", b"one", "text/plain")), ("files", ("b.csv", b"1,2", "text/csv"))]
        fields = {
            "question": "Hi",
            "streaming": "true",
            "maxTokens": "4",
            "overrideConfig": '{"sessionId": "s-2"}',
        }

        response = asker.request("POST", "prediction", data=fields, files=files)

        assert response.headers["Content-Type"] == "text/event-stream"
        question, _answer = asker.messages(chatId="s-2")
        assert [file["name"] for file in question["fileUploads"]] == ["a.txt", "b.csv"]

    @pytest.mark.parametrize(
        ("fields", "files", "words"),
        [
            ({"overrideConfig": "{"}, [], "overrideConfig is not JSON"),
            ({"history": '{"a": 1}'}, [], "history must be an array"),
            ({"overrideConfig": "[1]"}, [], "overrideConfig must be an object"),
            ({}, [("image", ("a.txt", b"x", "text/plain"))], "not image"),
            ({}, [("files", ("a.png", b"\x89PNG", "image/png"))], "text only"),
            ({}, [("files", ("a.bin", b"\x00\x01", "application/octet-stream"))], "not text"),
        ],
    )
    def test_wrong_ones_are_refused(
        self, asker: Asker, fields: dict[str, str], files: list[Any], words: str
    ) -> None:
        response = asker.request("POST", "prediction", data=HELLO | fields, files=files)

        assert response.status_code == 400
        assert words in response.json()["message"]

    @pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
    def test_broken_multipart_is_refused(self, asker: Asker, content_type: str) -> None:
        assert post_raw(asker, b"nonsense", content_type).status_code == 400


def test_the_server_bounds_the_length_of_answers(asker: Asker) -> None:
    response = asker.stream("Hello", chatId="very-long", overrideConfig={"maxTokens": 9_999_999})
    asker.request("PUT", "chatmessage/abort", "/very-long")

    assert response.content


def test_variables_and_the_system_message_reach_the_run(asker: Asker, site: Any) -> None:
    override = SHORT | {"systemMessage": "You are {{$vars.who}}.", "vars": {"who": "Ada", "n": 5}}
    asker.ask("Hello", overrideConfig=override, chatId="with-vars")

    [(params,)] = site.process.stored(
        "SELECT params FROM chat_run WHERE conversation_id = (SELECT id FROM chat_conversation WHERE chat_id = ?)",
        "with-vars",
    )
    assert json.loads(str(params))["system_prompt"] == "You are Ada."
    assert json.loads(str(params))["sampling"] == {"max_tokens": SHORT["maxTokens"]}
