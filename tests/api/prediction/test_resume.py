"""Taking up a stream that broke, stopping an answer, asking twice."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from chat.http.turnstile import MAX_WAIT_S
from tests.api.prediction.asking import (
    LONG,
    TIMEOUT_S,
    Asker,
    events_of,
    ids_of,
    metadata_of,
    names_of,
    words_of,
)
from tests.api.prediction.conftest import Site
from tests.conftest import wait_until

LIVE_RUNS = "SELECT id FROM chat_run WHERE status = 'running'"


def first_blocks(response: requests.Response, num_blocks: int) -> str:
    """The beginning of a stream, which is broken off."""
    text = b""
    for chunk in response.raw.read_chunked():
        text += chunk
        if text.count(b"\n\n") >= num_blocks:
            break
    response.close()
    return text.decode()


@pytest.mark.parametrize("how", ["after", "Last-Event-ID"])
def test_a_broken_stream_is_taken_up_without_gap_or_duplicate(asker: Asker, how: str) -> None:
    response = asker.stream("Hello", overrideConfig={"maxTokens": 400})
    first = first_blocks(response, 4)
    run_id, last = response.headers["X-Run-Id"], ids_of(first)[-1]

    if how == "after":
        rest = asker.get("prediction", f"/runs/{run_id}?after={last}").content.decode()
    else:
        rest = asker.get(
            "prediction", f"/runs/{run_id}", headers={"Last-Event-ID": str(last)}
        ).content.decode()

    ids = ids_of(first + rest)
    assert ids == list(range(1, len(ids) + 1))
    events = events_of(first + rest)
    _question, answer = asker.messages(chatId=metadata_of(events)["chatId"])
    assert words_of(events) == answer["content"]
    assert names_of(events)[-1] == "end"


def test_every_place_of_a_stream_can_be_resumed(asker: Asker) -> None:
    response = asker.stream("Hello")
    whole = response.content.decode()
    run_id = response.headers["X-Run-Id"]

    for last in ids_of(whole):
        rest = asker.get("predictions", f"/runs/{run_id}?after={last}&format=flowise").content.decode()
        assert whole.endswith(rest)
        assert ids_of(rest) == ids_of(whole)[last:]


def test_a_run_belongs_to_its_asker(
    member: Asker, asker: Asker, asker_of: Callable[..., Asker], site: Site
) -> None:
    run_id = member.ask("Hello")["runId"]
    open_run_id = asker.ask("Hello")["runId"]
    bob = asker_of(site.closed_flow, site.bobs_key)
    rest = f"/runs/{run_id}"

    assert member.get("prediction", rest).status_code == 200
    assert asker_of(site.closed_flow).get("prediction", rest).status_code == 401
    assert bob.get("prediction", rest).status_code == 404
    assert asker.get("prediction", rest).status_code == 404
    assert asker_of(site.shop_flow).get("prediction", f"/runs/{open_run_id}").status_code == 404
    assert asker.get("prediction", f"/runs/{uuid.uuid4()}").status_code == 404
    assert asker.get("prediction", "/runs/1").status_code == 404


def test_an_answer_can_be_aborted(asker: Asker) -> None:
    response = asker.stream("Hello", chatId="to-abort", overrideConfig=LONG)
    stream = response.raw.read_chunked()
    beginning = next(stream)

    aborted = asker.request("PUT", "chatmessage/abort", "/to-abort")

    assert aborted.json() == {"status": 200, "message": "Chat message aborted"}
    events = events_of((beginning + b"".join(stream)).decode())
    assert names_of(events)[-3:] == ["abort", "metadata", "end"]
    assert asker.messages(chatId="to-abort")[-1]["content"] == words_of(events)


def test_outsiders_abort_nothing_but_are_not_told(
    member: Asker, asker_of: Callable[..., Asker], site: Site
) -> None:
    response = member.stream("Hello", chatId="mine", overrideConfig={"maxTokens": 300})

    aborted = asker_of(site.closed_flow, site.bobs_key).request("PUT", "chatmessage/abort", "/mine")

    assert aborted.status_code == 200
    assert "abort" not in names_of(events_of(response.content.decode()))
    assert asker_of(site.closed_flow).request("PUT", "chatmessage/abort", "/mine").status_code == 401


def test_a_second_question_meanwhile_is_a_conflict(asker: Asker) -> None:
    response = asker.stream("Hello", chatId="busy", overrideConfig=LONG)

    for is_streaming in (True, False):
        second = asker.post({"question": "And now?", "chatId": "busy", "streaming": is_streaming})
        assert second.status_code == 409
        assert second.json()["statusCode"] == 409
    asker.request("PUT", "chatmessage/abort", "/busy")
    assert response.content
    assert asker.ask("And now?", chatId="busy")["chatId"] == "busy"


def test_of_two_first_questions_at_once_one_wins(asker: Asker) -> None:
    body = {"chatId": "race", "overrideConfig": {"maxTokens": 300}}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: asker.post({"question": f"Number {n}", **body}), range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(asker.messages(chatId="race")) == 2


@pytest.mark.parametrize("chat", [{}, {"chatId": "idem"}])
@pytest.mark.parametrize("who", ["asker", "member"])
def test_the_same_idempotency_key_finds_the_first_answer(
    request: pytest.FixtureRequest, who: str, chat: dict[str, str]
) -> None:
    asker: Asker = request.getfixturevalue(who)
    headers = {"Idempotency-Key": f"{who}-{chat}"}

    def post(question: str) -> requests.Response:
        return asker.post({"question": question, **chat}, headers=headers)

    with ThreadPoolExecutor(3) as pool:
        replies = [answer.json() for answer in pool.map(post, ["Hello"] * 3)]
    assert len({reply["chatMessageId"] for reply in replies}) == 1
    assert len({reply["text"] for reply in replies}) == 1
    other = post("Something else")
    if who == "member" or chat:
        assert other.status_code == 409
    else:  # a guest without a chat is only known by what is asked
        assert other.json()["chatId"] != replies[0]["chatId"]


def test_keys_of_others_are_not_mine(member: Asker, asker_of: Callable[..., Asker], site: Site) -> None:
    headers = {"Idempotency-Key": "one"}
    mine = member.post({"question": "Hello"}, headers=headers).json()

    bobs = asker_of(site.closed_flow, site.bobs_key).post({"question": "Hello"}, headers=headers).json()

    assert bobs["chatMessageId"] != mine["chatMessageId"]


def test_a_resumed_stream_needs_a_run_of_this_site(site: Site) -> None:
    url = f"{site.url}/api/v1/prediction/{uuid.uuid4()}/runs/{uuid.uuid4()}"

    assert requests.get(url, timeout=TIMEOUT_S).status_code == 404


def test_programs_that_wait_for_whole_answers_keep_nobody_out(asker: Asker, site: Site) -> None:
    chats = [f"patient-{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(asker.ask, "Hello", chatId=chat, overrideConfig=LONG) for chat in chats]
        wait_until(lambda: len(site.process.stored(LIVE_RUNS)) == 4)

        started = time.monotonic()
        requests.get(f"{site.url}/api/v1/ping", timeout=TIMEOUT_S)
        waited_s = time.monotonic() - started

        for chat in chats:
            asker.request("PUT", "chatmessage/abort", f"/{chat}")
        assert all(answer.result()["chatId"] for answer in answers)
    assert waited_s < MAX_WAIT_S - 1
