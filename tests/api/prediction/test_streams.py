"""The event stream: its order, its four framings, and what it says of errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.api.prediction.asking import NUM_TOKENS, Asker, events_of, ids_of, metadata_of, names_of, words_of
from tests.api.prediction.conftest import Site

QUESTION = 'Say "data: x" and data:\u2028 and \U0001f600 é\r\nplease'
FLOWISE = re.compile(r"(message:\ndata:\{[ -~]+\}\nid: \d+\n\n)+")
NAMED = re.compile(r"(event: \w+\ndata: \{[ -~]+\}\nid: \d+\n\n)+")


def test_the_default_framing_is_that_of_flowise_with_ids(asker: Asker) -> None:
    response = asker.stream(QUESTION)
    text = response.content.decode()

    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Connection"] == "keep-alive"
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Stream-Format"] == "flowise"
    assert {"Accept", "X-Stream-Format"} <= set(response.headers["Vary"].split(", "))
    assert FLOWISE.fullmatch(text)
    assert not any("data:" in line[5:] for line in text.split("\n"))
    assert ids_of(text) == list(range(1, len(ids_of(text)) + 1))


def test_tokens_come_before_usage_metadata_and_the_end(asker: Asker) -> None:
    response = asker.stream(QUESTION)
    events = events_of(response.content.decode())
    names, metadata = names_of(events), metadata_of(events)

    assert names[:2] == ["start", "token"]
    assert events[0]["data"] == events[1]["data"]
    assert set(names[1:-3]) == {"token"}
    assert names[-3:] == ["usageMetadata", "metadata", "end"]
    assert events[-1]["data"] == "[DONE]"
    assert events[-3]["data"]["output_tokens"] == NUM_TOKENS
    assert metadata["question"] == QUESTION
    assert metadata["sessionId"] == metadata["chatId"] == response.headers["X-Chat-Id"]
    assert metadata["chatMessageId"] == metadata["runId"] == response.headers["X-Run-Id"]
    assert "text" not in metadata


def test_each_chunk_is_one_event(asker: Asker) -> None:
    chunks = list(asker.stream("Hello").raw.read_chunked())

    assert all(chunk.count(b"data:") == 1 and chunk.endswith(b"\n\n") for chunk in chunks)


def test_what_is_streamed_is_what_is_stored(asker: Asker) -> None:
    events = events_of(asker.stream_text(QUESTION, overrideConfig={"maxTokens": 200, "temperature": 1.5}))

    question, answer = asker.messages(chatId=metadata_of(events)["chatId"])
    assert question["content"] == QUESTION
    assert answer["content"] == words_of(events)
    assert answer["id"] == metadata_of(events)["chatMessageId"]


def test_the_path_of_the_guides_names_its_events(asker: Asker) -> None:
    text = asker.stream_text("Hello", kind="predictions")

    assert NAMED.fullmatch(text)
    assert all((event["event"] == "token") == ("token" in event) for event in events_of(text))
    assert text.count("event: end\n") == 1


@pytest.mark.parametrize(
    ("query", "headers", "name"),
    [
        ("?format=named", {}, "named"),
        ("", {"X-Stream-Format": "ndjson"}, "ndjson"),
        ("", {"Accept": "application/x-ndjson"}, "ndjson"),
        ("?format=flowise", {"Accept": "application/x-ndjson", "X-Stream-Format": "text"}, "flowise"),
    ],
)
def test_the_client_chooses_the_framing(asker: Asker, query: str, headers: dict[str, str], name: str) -> None:
    response = asker.post({"question": "Hello", "streaming": "true"}, rest=query, headers=headers)

    assert response.headers["X-Stream-Format"] == name


def test_ndjson_is_one_object_a_line(asker: Asker) -> None:
    response = asker.stream(QUESTION, "?format=ndjson")

    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert names_of(json.loads(line) for line in response.content.splitlines())[-1] == "end"


def test_the_text_framing_has_words_without_json(asker: Asker) -> None:
    text = asker.stream_text("Hello", "?format=text")

    assert text.startswith("event: start\ndata: ")
    assert re.fullmatch(r"event: end\ndata: \[DONE\]\nid: \d+", text.split("\n\n")[-2])
    assert all(re.match(r"event: |data: |id: |$", line) for line in re.split(r"\r\n|\r|\n", text))


def test_an_unknown_framing_is_refused(asker: Asker) -> None:
    response = asker.post({"question": "Hello", "streaming": True}, rest="?format=morse")

    assert response.status_code == 400
    assert "ndjson" in response.json()["message"]


@pytest.mark.parametrize("is_streaming", [True, False])
def test_an_error_before_the_first_word_is_a_status(
    asker_of: Callable[..., Asker], site: Site, is_streaming: bool
) -> None:
    response = asker_of(site.gone_flow).post({"question": "Hello", "streaming": is_streaming})

    assert response.status_code == 404
    assert response.json().keys() == {"statusCode", "success", "message", "stack"}


@pytest.mark.parametrize("is_streaming", [True, False])
def test_a_question_over_the_context_is_told_with_counts(asker: Asker, is_streaming: bool) -> None:
    response = asker.post({"question": "word " * 6_000, "streaming": is_streaming})

    assert response.status_code == 400
    assert re.search(r"\d{4}", response.json()["message"])


def test_a_whole_reply_says_the_same_in_one_object(asker: Asker) -> None:
    reply = asker.ask(QUESTION, streaming="no")

    assert reply["question"] == QUESTION
    assert reply["text"]
    assert reply["usage"]["output_tokens"] == NUM_TOKENS
    assert reply["isStreamValid"] is True
    assert [row["content"] for row in asker.messages(chatId=reply["chatId"])] == [QUESTION, reply["text"]]
