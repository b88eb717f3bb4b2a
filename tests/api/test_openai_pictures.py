"""Pictures through the OpenAI API: what a model that sees takes, and what is refused and why."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from django.test import AsyncClient

from chat.models import ApiKey, User
from chat.runtime import Runtime
from tests.engine.tiny_projector import png

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
TEXT = {"type": "text", "text": "What is there to see?"}


@pytest.fixture
def key(alice: User) -> str:
    return ApiKey.objects.issue(alice, "test")[1]


def image(content: bytes) -> dict[str, Any]:
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def post(key: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async def ask() -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return await AsyncClient().post(
            path, {"model": "tiny", **body}, content_type="application/json", headers=headers
        )

    response = asyncio.run(ask())
    return response.status_code, response.json()


def ask(key: str, *parts: dict[str, Any], **body: Any) -> tuple[int, dict[str, Any]]:
    return post(key, CHAT, messages=[{"role": "user", "content": [*parts]}], max_tokens=12, **body)


def test_what_is_seen_changes_the_answer(seeing_runtime: Runtime, key: str) -> None:
    answers = [ask(key, TEXT, image(png(color))) for color in ("red", "red", "blue")]

    assert [status for status, _ in answers] == [200] * 3
    red, again, blue = [answer["choices"][0]["message"]["content"] for _, answer in answers]
    assert red == again != blue


def test_the_other_api_takes_them_too(seeing_runtime: Runtime, key: str) -> None:
    parts = [{"type": "input_text", "text": "Hello"}]
    without = {"role": "user", "content": parts}
    shown = {
        **without,
        "content": [*parts, {"type": "input_image", "image_url": image(png("red"))["image_url"]["url"]}],
    }

    counts = []
    for message in (without, shown):
        status, answer = post(key, RESPONSES, input=[message], max_output_tokens=5)
        assert status == 200, answer
        counts.append(answer["usage"]["input_tokens"])

    assert counts[1] > counts[0]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}, "fetches nothing"),
        ({"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}, "fetches nothing"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, "fetches nothing"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,@@"}}, "no base64"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}, "must begin with"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}, "no picture"),
        (image(png("red")[:60]), "damaged"),
        (image(png("red", (4000, 2))), "too narrow"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(
    seeing_runtime: Runtime, key: str, part: dict[str, Any], words: str
) -> None:
    status, answer = ask(key, TEXT, part)

    assert status == 400
    assert words in answer["error"]["message"]
    assert answer["error"]["param"] == "messages[0].content[1].image_url.url"


def test_more_pictures_than_a_message_may_have_are_refused(seeing_runtime: Runtime, key: str) -> None:
    status, answer = ask(key, *[image(png("red", (8, 8)))] * 9)

    assert status == 400
    assert "at most 8 pictures" in answer["error"]["message"]


def test_a_model_that_does_not_see_names_those_that_do(seeing_runtime: Runtime, key: str) -> None:
    status, answer = ask(key, TEXT, image(png("red")), model="blind")

    assert status == 400
    assert answer["error"]["message"] == "blind cannot see pictures. Models here that can: tiny."


def test_only_people_show_pictures(seeing_runtime: Runtime, key: str) -> None:
    messages = [{"role": "system", "content": [image(png("red"))]}, {"role": "user", "content": "Hello"}]

    status, answer = post(key, CHAT, messages=messages)

    assert status == 400
    assert answer["error"]["param"] == "messages[0].content[0].type"
