"""Fifty people at once on four slots."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.e2e.people import Visitor
from tests.e2e.server import Server
from tests.ops.processes import REPO

NUM_PEOPLE = 50
MAX_HEALTH_S = 0.25


@pytest.fixture
def busy_server(chatty_models_dir: Path, tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", chatty_models_dir, slots=4, max_tokens=200) as server:
        yield server


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    """Sends everybody home at the end."""
    with ExitStack() as people:
        yield people


@contextmanager
def health_times(server: Server) -> Iterator[list[float]]:
    """Asks ten times a second how the server is; the list is filled at the end with how long each answer took."""
    waits_s: list[float] = []
    argv = [sys.executable, "-m", "tests.e2e.probe", str(server.port)]
    with subprocess.Popen(argv, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as probe:
        yield waits_s
        printed, _ = probe.communicate()
    waits_s += json.loads(printed)


def test_fifty_conversations_at_once_all_end_each_in_its_own_place(
    busy_server: Server, crowd: ExitStack
) -> None:
    people = [crowd.enter_context(Visitor(busy_server.url)) for _ in range(NUM_PEOPLE)]

    def ask_and_read(number: int) -> str:
        people[number].ask(f"nonce-{number:03} please")
        return people[number].read_stream()

    # Where others keep the processors busy, a share of them is a share of the speed; alone the factor is 1.
    max_health_s = MAX_HEALTH_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    with health_times(busy_server) as waits_s, ThreadPoolExecutor(NUM_PEOPLE) as threads:
        streams = list(threads.map(ask_and_read, range(NUM_PEOPLE)))
    for person in people:
        wait_until(lambda person=person: busy_server.run_status(person.conversation_id) == "done")

    replies = [busy_server.reply_text(person.conversation_id) for person in people]
    assert len(set(replies)) == NUM_PEOPLE
    for number, (person, reply, stream) in enumerate(zip(people, replies, streams, strict=True)):
        page = person.get(f"/c/{person.conversation_id}").text
        assert set(re.findall(r"nonce-\d+", page)) == {f"nonce-{number:03}"}
        assert html.escape(reply) in page
        assert set(re.findall(r"#message-(\d+)-parts", stream)) <= {reply_id_of(busy_server, person)}
    assert sum(map(bool, streams)) > NUM_PEOPLE / 2
    slowest_s = sorted(waits_s)[-1 - len(waits_s) // 100]
    print(f"/health/live: {slowest_s * 1000:.0f} ms (99th of 100), {max(waits_s) * 1000:.0f} ms at most")
    assert slowest_s < max_health_s


def reply_id_of(server: Server, person: Visitor) -> str:
    conversation = uuid.UUID(person.conversation_id).hex
    [(reply_id,)] = server.stored("SELECT reply_id FROM chat_run WHERE conversation_id = ?", conversation)
    return str(reply_id)


def test_a_form_sent_ten_times_at_once_is_one_message(server: Server, crowd: ExitStack) -> None:
    person = crowd.enter_context(Visitor(server.url))
    person.get("/")
    key = str(uuid.uuid4())

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: person.post("/", text="Once, please", key=key), range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.url for answer in answers}) == 1
    [(num_messages,)] = server.stored("SELECT count(*) FROM chat_message WHERE key = ?", uuid.UUID(key).hex)
    assert num_messages == 1


def test_of_twenty_questions_at_once_to_one_conversation_one_is_taken(
    server: Server, crowd: ExitStack
) -> None:
    person = crowd.enter_context(Visitor(server.url))
    person.ask("The first question")
    person.post(f"/runs/{person.run_id}/stop")
    wait_until(lambda: server.run_status(person.conversation_id) == "stopped")
    path = f"/c/{person.conversation_id}/messages"

    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda n: person.post(path, text=f"No {n}", key=str(uuid.uuid4())), range(20))
        )

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
