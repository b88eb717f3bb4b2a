"""Chat completions, by the real `openai` package against a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import requests

from tests.api.conftest import ApiServer
from tests.api.openai_client import (
    HELLO,
    SUM,
    async_client,
    streamed,
    sync_client,
    text_of,
)


@pytest.fixture
def client(api_server: ApiServer) -> Iterator[openai.OpenAI]:
    with sync_client(api_server) as client:
        yield client


class TestAnswers:
    def test_a_whole_answer_has_its_words_and_counts(self, client: openai.OpenAI) -> None:
        answer = client.chat.completions.create(model="starter", messages=HELLO)

        assert answer.object == "chat.completion"
        assert answer.model == "starter"
        assert answer.choices[0].message.content
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
        assert answer.usage.prompt_tokens_details.cached_tokens >= 0

    def test_a_stream_says_the_same_with_the_usage_last(self, client: openai.OpenAI) -> None:
        whole = client.chat.completions.create(model="starter", messages=HELLO)

        chunks = streamed(client, messages=HELLO, stream_options={"include_usage": True})

        assert text_of(chunks) == whole.choices[0].message.content
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].choices == []
        assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
        assert all(chunk.usage is None for chunk in chunks[:-1])
        assert len({chunk.id for chunk in chunks}) == 1

    def test_without_asking_no_usage_comes(self, client: openai.OpenAI) -> None:
        chunks = streamed(client, messages=HELLO)

        assert all(chunk.choices and chunk.usage is None for chunk in chunks)

    async def test_eight_at_once_are_all_answered(self, api_server: ApiServer) -> None:
        async with async_client(api_server) as client:
            create = client.chat.completions.create

            async def ask(number: int) -> str:
                chunks = await create(model="starter", messages=HELLO, stream=True, seed=number)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

            answers = await asyncio.gather(*map(ask, range(8)))

        assert len(set(answers)) == 1
        assert answers[0]

    async def test_a_client_that_leaves_frees_its_place(self, api_server: ApiServer) -> None:
        async with async_client(api_server) as client:
            for _ in range(6):  # more than there are places
                stream = await client.chat.completions.create(
                    model="starter", messages=HELLO, stream=True, temperature=2, max_tokens=1500, n=2
                )
                await anext(aiter(stream))
                await stream.close()

            answer = await client.chat.completions.create(model="starter", messages=HELLO, max_tokens=2)

        assert answer.choices[0].finish_reason == "length"

    def test_the_length_is_kept(self, client: openai.OpenAI) -> None:
        answer = client.chat.completions.create(model="starter", messages=HELLO, max_completion_tokens=2)

        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens == 2

    @pytest.mark.parametrize("stop", ["!", ["nothing of the kind", "!"]])
    def test_it_stops_before_a_stop_string(self, client: openai.OpenAI, stop: Any) -> None:
        answer = client.chat.completions.create(model="starter", messages=HELLO, stop=stop)

        assert answer.choices[0].message.content == "Hello"
        assert answer.choices[0].finish_reason == "stop"

    def test_a_seed_gives_the_same_again_and_each_choice_its_own(self, client: openai.OpenAI) -> None:
        def ask() -> list[str | None]:
            answer = client.chat.completions.create(
                model="starter", messages=HELLO, temperature=2, seed=2**40, max_tokens=12, n=3
            )
            return [choice.message.content for choice in answer.choices]

        first = ask()

        assert first == ask()
        assert len(set(first)) > 1

    def test_several_choices_come_side_by_side(self, client: openai.OpenAI) -> None:
        chunks = streamed(client, messages=HELLO, n=3, stream_options={"include_usage": True})

        texts = {text_of(chunks, index) for index in range(3)}
        ends = [c.index for chunk in chunks for c in chunk.choices if c.finish_reason == "stop"]
        assert len(texts) == 1
        assert texts != {""}
        assert sorted(ends) == [0, 1, 2]
        one = client.chat.completions.create(model="starter", messages=HELLO).usage
        assert chunks[-1].usage.prompt_tokens == one.prompt_tokens
        assert chunks[-1].usage.completion_tokens == 3 * one.completion_tokens

    def test_logprobs_are_those_of_the_words(self, client: openai.OpenAI) -> None:
        asked: Any = {"messages": HELLO, "logprobs": True, "top_logprobs": 3, "max_tokens": 4}

        [choice] = client.chat.completions.create(model="starter", **asked).choices
        chunks = streamed(client, **asked)

        tokens = choice.logprobs.content
        assert "".join(token.token for token in tokens) == choice.message.content
        assert all(token.logprob <= 0 and bytes(token.bytes).decode() == token.token for token in tokens)
        assert all(token.top_logprobs[0].token == token.token for token in tokens)  # at temperature 0
        assert {len(token.top_logprobs) for token in tokens} == {3}
        in_stream = [
            token.token
            for chunk in chunks
            if chunk.choices[0].logprobs
            for token in chunk.choices[0].logprobs.content
        ]
        assert in_stream == [token.token for token in tokens]

    def test_all_kinds_of_messages_are_taken(self, client: openai.OpenAI) -> None:
        messages: Any = [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "!"}]},
            {"role": "assistant", "content": "Hi.", "reasoning_content": "A greeting."},
            {
                "role": "user",
                "content": "Emoji 😀, data: [DONE]\n\n, \u2028 and \x85, please.",
                "name": "alice",
            },
        ]

        assert client.chat.completions.create(model="starter", messages=messages, max_tokens=20).choices

    def test_unknown_fields_are_ignored(self, client: openai.OpenAI) -> None:
        extra = {"top_k": 5, "min_p": 0.1, "repeat_penalty": 1.1, "user": "me", "something": {"new": 1}}

        answer = client.chat.completions.create(model="starter", messages=HELLO, extra_body=extra)

        assert answer.choices[0].message.content

    def test_biases_forbid_and_force_tokens(self, client: openai.OpenAI) -> None:
        def answer(**bias: int) -> str:
            given = client.chat.completions.create(
                model="starter", messages=HELLO, temperature=0, max_tokens=3, logit_bias=bias
            )
            return given.choices[0].message.content or ""

        forced = answer(**{"65": 100})

        assert forced == answer(**{"65": 100})
        assert len(set(forced)) == 1
        assert forced != answer()

    def test_a_deterministic_answer_is_the_same_beside_others(self, client: openai.OpenAI) -> None:
        extra = {"deterministic": True, "mirostat": 2, "xtc_probability": 0.1}

        def answer(_number: int) -> str:
            given = client.chat.completions.create(
                model="starter", messages=HELLO, temperature=1.2, seed=4, max_tokens=20, extra_body=extra
            )
            return given.choices[0].message.content or ""

        with ThreadPoolExecutor(3) as people:
            answers = set(people.map(answer, range(4)))

        assert len(answers) == 1

    @pytest.mark.parametrize("name", ["id", "name"])
    def test_a_flow_answers_with_its_own_tools(
        self, client: openai.OpenAI, api_server: ApiServer, name: str
    ) -> None:
        model = f"flow:{api_server.flow_id if name == 'id' else 'Parley'}"

        answer = client.chat.completions.create(model=model, messages=SUM)

        assert "42" in (answer.choices[0].message.content or "")
        assert answer.choices[0].message.tool_calls is None
        assert answer.choices[0].finish_reason == "stop"
        assert answer.model == model


class TestErrors:
    def test_a_wrong_key_is_an_authentication_error(self, api_server: ApiServer) -> None:
        with (
            sync_client(api_server, key="pk-wrong") as client,
            pytest.raises(openai.AuthenticationError) as told,
        ):
            client.chat.completions.create(model="starter", messages=HELLO)

        assert told.value.code == "invalid_api_key"

    @pytest.mark.parametrize("model", ["nothing", "../starter", "flow:nothing", f"flow:{'0' * 32}", "flow:"])
    @pytest.mark.parametrize("stream", [False, True])
    def test_an_unknown_model_is_not_found(self, client: openai.OpenAI, model: str, stream: bool) -> None:
        with pytest.raises(openai.NotFoundError) as told:
            client.chat.completions.create(model=model, messages=HELLO, stream=stream)

        assert (told.value.code, told.value.param) == ("model_not_found", "model")

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_prompt_over_the_context_tells_the_counts(self, client: openai.OpenAI, stream: bool) -> None:
        long: Any = [{"role": "user", "content": "Hello! " * 3000}]

        with pytest.raises(openai.BadRequestError, match=r"has 12007 tokens.*holds 2048") as told:
            client.chat.completions.create(model="starter", messages=long, stream=stream)

        assert told.value.code == "context_length_exceeded"


class TestLineByLine:
    """The loop that is written where there is no package."""

    def test_every_line_is_data_and_the_last_is_done(self, api_server: ApiServer) -> None:
        body = {
            "model": "starter",
            "messages": [{"role": "user", "content": "Say: ü 😀 \u2028 data: x"}],
            "stream": True,
        }
        pieces, lines = [], []
        with requests.post(
            f"{api_server.url}/v1/chat/completions",
            headers=api_server.headers,
            json=body,
            stream=True,
            timeout=120,
        ) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            for line in response.iter_lines():
                if not line:
                    continue
                lines.append(line)
                if line == b"data: [DONE]":
                    break
                chunk = json.loads(line.removeprefix(b"data: "))
                pieces.append(chunk["choices"][0]["delta"].get("content", ""))

        assert all(line.startswith(b"data: ") and line.isascii() for line in lines)
        assert lines[-1] == b"data: [DONE]"
        assert "".join(pieces)

    def test_a_key_gives_the_same_answer_again(self, api_server: ApiServer) -> None:
        headers = {**api_server.headers, "Idempotency-Key": "chat-once"}
        url = f"{api_server.url}/v1/chat/completions"
        body = {"model": "starter", "messages": HELLO, "temperature": 2, "max_tokens": 12, "n": 2}

        first, second = (requests.post(url, headers=headers, json=body, timeout=120).json() for _ in "12")
        other = requests.post(url, headers=headers, json={**body, "n": 1}, timeout=120)

        assert (second["id"], second["choices"]) == (first["id"], first["choices"])
        assert other.status_code == 409
        assert other.json()["error"]["code"] == "conflict"
