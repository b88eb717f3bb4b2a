"""Messages between the halves of EngineProcess come out as they went in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.domain.errors import EngineFailed
from chat.domain.events import TokenLogprob
from chat.domain.messages import ChatMessage, ReasoningPart, TextPart, ToolCall, ToolResult, ToolSpec
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.config import EngineConfig
from chat.engine.generation import Job, Update
from chat.engine.pieces import CallPiece, EndPiece, GenerationUsage, ReasoningPiece, StatePiece, TextPiece
from chat.engine.prompt_trace import PromptSpan
from chat.engine.wire import (
    Answered,
    CancelJob,
    Channel,
    CountTokens,
    Embedded,
    EmbedderLoaded,
    EmbedTexts,
    Loaded,
    LoadEmbedder,
    LoadFailed,
    LoadModel,
    Message,
    Stepped,
    TracePrompt,
    pack,
    unpack,
)

REQUEST = GenerationRequest(
    messages=(
        ChatMessage.of("system", "Be kind. 🌻 \ud83d \x00"),
        ChatMessage(
            "assistant",
            (ReasoningPart("hm", 12), TextPart("yes"), ToolCall("c1", "add", {"a": 2**80, "b": [1.5]})),
        ),
        ChatMessage("tool", (ToolResult("c1", "add", "3", is_error=True),)),
    ),
    params=SamplingParams(temperature=0.3, seed=7, stop=("END",)),
    tools=(ToolSpec("add", "adds", {"type": "object", "properties": {"a": {"type": "integer"}}}),),
    scope="alice",
    reply_prefix="Well",
)
PIECES = (
    StatePiece("reading", progress=0.5),
    TextPiece("ä"),
    TextPiece("b", (TokenLogprob("b", -0.5, (98,), (("b", -0.5), ("c", -1.5))),)),
    ReasoningPiece("ö"),
    CallPiece(ToolCall("c2", "add", {"x": None})),
    EndPiece("tool_calls", GenerationUsage(1, 2, 3, 4, 5, 6)),
)


@pytest.mark.parametrize(
    "message",
    [
        LoadModel(Path("models/a b.gguf"), EngineConfig(cache_dir=Path("var"))),
        Job(3, GenerationRequest((ChatMessage.of("user", "hi"),)), resumed=(1, 2), resumed_ms=9),
        Job(4, GenerationRequest(prompt="Once", grammar='root ::= "a"', top_logprobs=0)),
        CancelJob(3),
        CountTokens(1, GenerationRequest(())),
        Loaded(2048),
        LoadEmbedder(Path("models/bert.gguf"), EngineConfig()),
        EmbedTexts(("a", "ä \ud83d")),
        EmbedderLoaded(768, 512),
        Embedded(b"\x00\x01"),
        TracePrompt(1, GenerationRequest(())),
        Answered(1, 17),
        Answered(2, (PromptSpan("part", "hi", 1, 0, 0), PromptSpan("template", "\n", 1))),
        Stepped((Update(3, (5, 6), PIECES), Update(4)), 1, 2),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_survives_the_way(message: Message) -> None:
    assert unpack(pack(message)) == message


def test_a_request_with_everything_in_it_survives() -> None:
    packed = pack(Job(1, REQUEST))
    came = unpack(packed).request

    assert came.messages[0] == REQUEST.messages[0]
    assert came.messages[1].parts[2].arguments["a"] == 2**80
    assert (came.params, came.scope, came.reply_prefix) == (REQUEST.params, "alice", "Well")
    assert came.tools[0].parameters == REQUEST.tools[0].parameters


def test_an_error_keeps_its_kind_and_words() -> None:
    came = unpack(pack(LoadFailed(EngineFailed("It broke.", hint="Mend it."))))

    assert isinstance(came.error, EngineFailed)
    assert (came.error.message, came.error.hint) == ("It broke.", "Mend it.")


def test_what_has_no_form_is_refused_by_the_sender() -> None:
    with pytest.raises(TypeError):
        pack(Job(1, GenerationRequest((object(),))))


class TestChannel:
    @pytest.fixture
    def ends(self) -> Iterator[tuple[Channel, Channel]]:
        left, right = map(Channel, socket.socketpair())
        yield left, right
        left.close()
        right.close()

    def test_messages_of_any_size_arrive_whole_and_in_order(self, ends: tuple[Channel, Channel]) -> None:
        left, right = ends
        messages = [Update(i, pieces=(TextPiece("x" * i * 50_000),)) for i in range(8)]
        sender = threading.Thread(target=lambda: [left.send(message) for message in messages])
        sender.start()

        assert [right.receive(5.0) for _ in messages] == messages
        sender.join()

    def test_the_end_is_told_as_none(self, ends: tuple[Channel, Channel]) -> None:
        left, right = ends

        left.close()

        assert right.receive(5.0) is None

    def test_silence_is_told_as_a_timeout(self, ends: tuple[Channel, Channel]) -> None:
        with pytest.raises(TimeoutError):
            ends[1].receive(0.01)
