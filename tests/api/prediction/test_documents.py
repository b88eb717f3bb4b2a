"""A flow with documents: programs are given the passages that the page shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import AsyncClient, Client

from chat.models import ApiKey, Flow, User
from chat.runtime import Runtime
from tests.retrieval.library_rows import collection_of

FACT = "The lighthouse keeper is called Marta Venn."
QUESTION = {"question": "What is the lighthouse keeper called?", "overrideConfig": {"maxTokens": 8}}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def flow(runtime: Runtime) -> Flow:
    return Flow.objects.create(name="Harbour", collection=collection_of(FACT, "Boats are painted in May."))


@pytest.fixture
def headers(alice: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {ApiKey.objects.issue(alice, 'test')[1]}"}


def ask(path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
    return Client().post(path, json.dumps(body), content_type="application/json", headers=headers)


def test_a_whole_answer_names_its_sources(flow: Flow, headers: dict[str, str]) -> None:
    answer = ask(f"/api/v1/prediction/{flow.pk}", QUESTION, headers).json()

    [source] = answer["sourceDocuments"]
    assert source["pageContent"] == FACT
    assert source["metadata"]["title"] == "manual.md"
    assert source["metadata"]["number"] == 1
    [_, row] = Client().get(f"/api/v1/chatmessage/{flow.pk}", headers=headers).json()
    assert row["sourceDocuments"] == answer["sourceDocuments"]


async def test_a_stream_tells_them_before_its_metadata(flow: Flow, headers: dict[str, str]) -> None:
    response = await AsyncClient().post(
        f"/api/v1/prediction/{flow.pk}",
        json.dumps(QUESTION | {"streaming": True}),
        content_type="application/json",
        headers=headers,
    )

    text = b"".join([part async for part in response.streaming_content]).decode()
    events = [
        json.loads(line.removeprefix("data:")) for line in text.splitlines() if line.startswith("data:")
    ]
    names = [event["event"] for event in events]
    assert names.index("sourceDocuments") < names.index("metadata")
    [source] = events[names.index("sourceDocuments")]["data"]
    assert source["pageContent"] == FACT


def test_the_other_apis_are_given_the_passages_too(flow: Flow, headers: dict[str, str]) -> None:
    messages = [{"role": "user", "content": QUESTION["question"]}]
    for path in ("/v1/chat/completions", "/v1/generate_response"):
        body = {"model": f"flow:{flow.pk}", "messages": messages, "max_tokens": 4}
        plain = {"model": "tiny", "messages": messages, "max_tokens": 4}

        with_passages, without = (_prompt_tokens(ask(path, each, headers).json()) for each in (body, plain))

        assert with_passages > without + 10


def _prompt_tokens(answer: dict[str, Any]) -> int:
    usage = answer["usage"]
    return int(usage.get("prompt_tokens", 0) or usage.get("input_tokens", 0))


def test_a_flow_is_given_its_documents_on_the_command_line(
    flow: Flow, capsys: pytest.CaptureFixture[str]
) -> None:
    name = flow.collection.name if flow.collection else ""

    call_command("flow", "create", "--name", "Another", "--collection", name)

    assert Flow.objects.get(pk=capsys.readouterr().out.strip()).collection == flow.collection
