"""Asking the prediction API in plain HTTP, and reading its streams."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import requests

Event = dict[str, Any]
TIMEOUT_S = 60
NUM_TOKENS = 12
SHORT = {"maxTokens": NUM_TOKENS}
LONG = {"maxTokens": 2500}


@dataclass(frozen=True)
class Asker:
    """A program that asks one flow, with a key or without."""

    site_url: str
    flow_id: str
    key: str = ""

    def url(self, kind: str = "prediction", rest: str = "") -> str:
        return f"{self.site_url}/api/v1/{kind}/{self.flow_id}{rest}"

    def request(self, method: str, kind: str, rest: str = "", **options: Any) -> requests.Response:
        """Any request; `headers` are added to that of the key."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= options.pop("headers", {})
        return requests.request(method, self.url(kind, rest), headers=headers, timeout=TIMEOUT_S, **options)

    def get(self, kind: str, rest: str = "", **options: Any) -> requests.Response:
        return self.request("GET", kind, rest, **options)

    def post(
        self, body: dict[str, Any], kind: str = "prediction", rest: str = "", **options: Any
    ) -> requests.Response:
        """A prediction; its answer is short unless the body says otherwise."""
        return self.request("POST", kind, rest, json={"overrideConfig": SHORT} | body, **options)

    def ask(self, question: str, **body: Any) -> dict[str, Any]:
        """The whole reply, which must be one."""
        response = self.post({"question": question, **body})
        assert response.status_code == 200, response.text
        return response.json()

    def stream(
        self, question: str, rest: str = "", kind: str = "prediction", **body: Any
    ) -> requests.Response:
        """A stream whose content is not read yet."""
        response = self.post({"question": question, "streaming": True, **body}, kind, rest, stream=True)
        assert response.status_code == 200, response.text
        return response

    def stream_text(self, question: str, rest: str = "", kind: str = "prediction", **body: Any) -> str:
        """All that a stream says."""
        return self.stream(question, rest, kind, **body).content.decode()

    def messages(self, **query: str) -> list[dict[str, Any]]:
        """Stored ones."""
        response = self.get("chatmessage", params=query)
        assert response.status_code == 200, response.text
        return response.json()


def events_of(stream: str) -> list[Event]:
    """The objects of the `data:` lines."""
    lines = [line for line in stream.split("\n") if line.startswith("data:")]
    return [json.loads(line.removeprefix("data:")) for line in lines]


def ids_of(stream: str) -> list[int]:
    return [int(line.removeprefix("id: ")) for line in stream.split("\n") if line.startswith("id: ")]


def names_of(events: Iterable[Event]) -> list[str]:
    return [event["event"] for event in events]


def words_of(events: Iterable[Event]) -> str:
    return "".join(event["data"] for event in events if event["event"] == "token")


def metadata_of(events: Iterable[Event]) -> dict[str, Any]:
    [found] = [event["data"] for event in events if event["event"] == "metadata"]
    return found
