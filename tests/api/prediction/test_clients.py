"""The real clients, and the loops of each product's guide, against a real server: only the base URL is ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from flowise import Flowise, IFileUpload, IMessage, PredictionData

from tests.api.prediction.asking import LONG, SHORT, TIMEOUT_S, Asker, metadata_of, names_of, words_of
from tests.api.prediction.conftest import Site
from tests.conftest import wait_until

NODE = shutil.which("node")
DRIVER = Path(__file__).parent / "flowise_sdk.mjs"
QUESTION = "data: data:x\u2028\U0001f600 \\data: 'é'"


def ask_python(site: Site, **fields: Any) -> list[Any]:
    """All that the package yields; the JSON of events is read."""
    fields = {"chatflowId": site.open_flow, "question": QUESTION, "overrideConfig": SHORT} | fields
    client = Flowise(site.url, site.key if fields["chatflowId"] == site.closed_flow else None)
    found = list(client.create_prediction(PredictionData(**fields)))
    return [json.loads(item) if isinstance(item, str) else item for item in found]


def ask_node(site: Site, stop_after: int = 0, key: str = "", **data: Any) -> list[Any]:
    """The lines of the driver."""
    if NODE is None:
        pytest.skip("there is no node on this machine")
    data = {"chatflowId": site.open_flow, "question": QUESTION, "overrideConfig": SHORT} | data
    asked = {"baseUrl": site.url, "apiKey": key, "data": data, "stopAfter": stop_after}
    done = subprocess.run(
        [NODE, DRIVER], input=json.dumps(asked), capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    return [json.loads(line) for line in done.stdout.split("\n") if line]


class TestThePythonPackage:
    def test_it_streams(self, site: Site) -> None:
        events = ask_python(site, streaming=True)

        assert names_of(events)[-3:] == ["usageMetadata", "metadata", "end"]
        assert metadata_of(events)["question"] == QUESTION

    def test_it_gets_the_whole_reply(self, site: Site) -> None:
        [reply] = ask_python(
            site,
            chatflowId=site.closed_flow,
            history=[IMessage("Hello", "userMessage"), IMessage("Hi", "apiMessage")],
            uploads=[IFileUpload("data:text/plain;base64,aGVsbG8=", "file", "a.txt", "text/plain")],
        )

        assert reply["text"]
        assert reply["question"] == QUESTION

    def test_the_same_chat_id_goes_on(self, site: Site, asker: Asker) -> None:
        chat_id = metadata_of(ask_python(site, streaming=True))["chatId"]
        [second] = ask_python(site, chatId=chat_id, question="And then?")

        assert second["chatId"] == chat_id
        assert len(asker.messages(chatId=chat_id)) == 4

    def test_eight_at_once_each_get_their_own(self, site: Site) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda n: ask_python(site, streaming=True, question=f"Number {n}"), range(8))
            )

        assert [metadata_of(events)["question"] for events in answers] == [f"Number {n}" for n in range(8)]
        assert len({metadata_of(events)["chatId"] for events in answers}) == 8

    def test_a_wrong_key_and_a_wrong_flow_raise(self, site: Site) -> None:
        client = Flowise(site.url, "pk-wrong")
        for flow_id, status in ((site.closed_flow, 401), ("nonsense", 404)):
            with pytest.raises(requests.HTTPError) as caught:
                list(client.create_prediction(PredictionData(flow_id, "Hello", streaming=True)))
            assert caught.value.response.status_code == status

    def test_an_answer_goes_on_when_the_reader_leaves(self, site: Site, asker: Asker) -> None:
        data = PredictionData(site.open_flow, "Hello", {"maxTokens": 300}, "left-early", streaming=True)
        stream = Flowise(site.url).create_prediction(data)
        next(stream)
        stream.close()

        wait_until(lambda: len(asker.messages(chatId="left-early")) == 2)
        assert site.process.stored("SELECT status FROM chat_run ORDER BY id DESC LIMIT 1") == [("done",)]


class TestTheTypeScriptPackage:
    def test_it_streams(self, site: Site) -> None:
        events = ask_node(site, streaming=True)

        assert names_of(events)[-3:] == ["usageMetadata", "metadata", "end"]
        assert metadata_of(events)["question"] == QUESTION

    def test_it_gets_the_whole_reply_with_a_key(self, site: Site) -> None:
        [answer] = ask_node(site, chatflowId=site.closed_flow, key=site.key)

        assert answer["reply"]["text"]

    def test_errors_reach_it(self, site: Site) -> None:
        assert ask_node(site, chatflowId=site.closed_flow, streaming=True) == [
            {"thrown": "HTTP error! status: 401"}
        ]

    def test_leaving_the_loop_does_not_block_the_next_question(self, site: Site, asker: Asker) -> None:
        events = ask_node(site, stop_after=2, streaming=True, chatId="node-left", overrideConfig=LONG)

        assert len(events) == 2
        assert asker.ask("Somebody else")["text"]
        assert asker.request("PUT", "chatmessage/abort", "/node-left").json()["status"] == 200


class TestPlainRequests:
    def test_the_loop_of_the_tailwinds_guide(self, site: Site) -> None:
        payload = {"question": QUESTION, "streaming": True, "overrideConfig": SHORT}
        printed, has_end = "", False
        with requests.post(
            f"{site.url}/api/v1/predictions/{site.open_flow}", json=payload, stream=True, timeout=TIMEOUT_S
        ) as response:
            for line in response.iter_lines(decode_unicode=True):
                if line.startswith("data: "):
                    event = json.loads(line[6:])
                    printed += event.get("token", "")
                elif line == "event: end":
                    has_end = True
                    break

        assert printed
        assert has_end

    def test_the_loop_of_an_open_webui_pipe(self, site: Site) -> None:
        """Splits at U+2028 too, and prints `data.text` of any other event."""
        payload = {
            "question": QUESTION,
            "streaming": True,
            "overrideConfig": {"maxTokens": 100, "temperature": 1.8},
        }
        printed, extra, events = "", "", []
        with requests.post(
            f"{site.url}/api/v1/prediction/{site.open_flow}", json=payload, stream=True, timeout=TIMEOUT_S
        ) as response:
            for line in response.iter_lines(decode_unicode=True):
                if line.startswith("data:"):
                    event = json.loads(line.replace("data:", "", 1))
                    events.append(event)
                    if event["event"] == "token":
                        printed += event["data"]
                    elif isinstance(event["data"], dict):
                        extra += event["data"].get("text", "")

        assert printed == words_of(events)
        assert extra == ""
        assert metadata_of(events)["question"] == QUESTION

    def test_pipes_find_their_flows(self, site: Site) -> None:
        headers = {"Authorization": f"Bearer {site.key}"}

        def flows(query: str) -> list[dict[str, Any]]:
            url = f"{site.url}/api/v1/chatflows{query}"
            return requests.get(url, headers=headers, timeout=TIMEOUT_S).json()

        assert site.open_flow in [flow["id"] for flow in flows("?type=CHATFLOW")]
        assert flows("?type=AGENTFLOW") == []

    def test_tokens_arrive_one_by_one(self, site: Site) -> None:
        with requests.post(
            f"{site.url}/api/v1/prediction/{site.open_flow}",
            json={"question": "Hello", "streaming": True, "overrideConfig": {"maxTokens": 400}},
            stream=True,
            timeout=TIMEOUT_S,
        ) as response:
            arrivals = [len(chunk) for chunk in response.iter_content(None)]

        assert len(arrivals) > 5
