"""Events as blocks: what the shared server's model never does, and resuming at every place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.api.prediction.chats import Turn
from chat.api.prediction.encode import PredictionEncoder
from chat.api.prediction.framing import FRAMINGS
from chat.domain.events import (
    Event,
    Numbered,
    ReasoningDelta,
    RunFailed,
    RunFinished,
    RunStarted,
    Source,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.models import Flow
from chat.runtime import Runtime
from tests.api.prediction.asking import events_of, ids_of, metadata_of, names_of, words_of

TURN = Turn(1, "chat", "session", "b6a5f2f4-5f6c-4a3e-9d0f-0a4f6f9c1c11", "data: \u2028?", {})
TRICKY = (
    "data:",
    "da",
    "ta: x",
    "\u2028",
    "\U0001f600",
    "\n\ndata: y\r\n",
    "\\data:",
    "event: end",
    "é\u0085",
)
EVENTS: tuple[Event, ...] = (
    RunStarted("model"),
    StatusChanged("reading", progress=0.5),
    SourcesFound((Source(1, "Book", "A passage", "doc-1"),)),
    ReasoningDelta("Let me"),
    ReasoningDelta(" think"),
    ToolStarted("c1", "calculator", {"expression": "1/0"}),
    ToolFinished("c1", "calculator", "Division by zero", True, 3),
    ToolStarted("c2", "clock", {}),
    ToolFinished("c2", "clock", "noon", False, 3),
    *(TextDelta(text) for text in TRICKY),
    UsageReported(10, 2, 5, 0, 1, 1),
    RunFinished("stop"),
)


def numbered(*events: Event, gap_ms: int = 100) -> list[Numbered]:
    return [Numbered(seq, event, seq * gap_ms) for seq, event in enumerate(events, 1)]


def stream_of(*events: Event, framing: str = "flowise", after: int = 0) -> str:
    return PredictionEncoder(TURN, FRAMINGS[framing], after).feed(numbered(*events))


def test_everything_comes_in_the_order_that_clients_know() -> None:
    events = events_of(stream_of(*EVENTS))

    assert names_of(events) == [
        *["thinking"] * 3,
        *["calledTools"] * 2,
        "start",
        *["token"] * len(TRICKY),
        "usageMetadata",
        "sourceDocuments",
        "usedTools",
        "metadata",
        "end",
    ]
    assert events[2] == {"event": "thinking", "data": "", "duration": 1}
    assert events[3]["data"] == [{"tool": "calculator", "toolInput": {"expression": "1/0"}, "toolOutput": ""}]
    assert words_of(events) == "".join(TRICKY)
    [failed, worked] = events[-3]["data"]
    assert (failed["toolOutput"], failed["error"]) == ("", "Division by zero")
    assert worked == {"tool": "clock", "toolInput": {}, "toolOutput": "noon"}
    assert events[-4]["data"][0]["pageContent"] == "A passage"
    assert metadata_of(events)["question"] == TURN.question


@pytest.mark.parametrize("framing", ["flowise", "named", "ndjson"])
def test_no_line_of_json_can_be_misread(framing: str) -> None:
    text = stream_of(*EVENTS, framing=framing)

    assert text.isascii()
    lines = [line for line in text.split("\n") if "{" in line]
    assert not any("data:" in line.removeprefix("data:") for line in lines)
    parsed = [json.loads(line.removeprefix("data:")) for line in lines]
    assert words_of(parsed) == "".join(TRICKY)


def test_text_can_be_read_back_line_by_line() -> None:
    words = ""
    for block in stream_of(*EVENTS, framing="text").split("\n\n"):
        if block.startswith("event: token\n"):
            words += "\n".join(line[6:] for line in block.split("\n") if line.startswith("data: "))

    assert words == "".join(TRICKY).replace("\r\n", "\n")


@pytest.mark.parametrize("framing", ["flowise", "named", "text"])
@given(st.data())
def test_a_reader_who_comes_back_misses_nothing(framing: str, data: st.DataObject) -> None:
    """However the events are cut into batches."""
    whole = stream_of(*EVENTS, framing=framing)
    after = data.draw(st.integers(0, len(ids_of(whole))))
    cut = data.draw(st.integers(0, len(EVENTS)))

    encoder = PredictionEncoder(TURN, FRAMINGS[framing], after)
    batch = numbered(*EVENTS)
    rest = encoder.feed(batch[:cut]) + encoder.feed(batch[cut:])

    assert whole.endswith(rest)
    assert ids_of(rest) == ids_of(whole)[after:]


def test_a_failure_in_the_middle_is_told_and_ends_the_stream() -> None:
    events = events_of(stream_of(TextDelta("Half"), RunFailed("engine_failed", "It broke.", "Try again.")))

    assert names_of(events) == ["start", "token", "error", "end"]
    assert events[2]["data"] == "It broke. Try again."


def test_thinking_ends_also_when_nothing_follows() -> None:
    events = events_of(stream_of(ReasoningDelta("Hm"), RunFinished("stopped")))

    assert names_of(events) == ["thinking", "thinking", "abort", "metadata", "end"]


def test_long_reading_shows_signs_of_life() -> None:
    encoder = PredictionEncoder(TURN, FRAMINGS["flowise"])
    batches = numbered(*(StatusChanged("reading", progress=n / 10) for n in range(10)), gap_ms=2_000)

    assert "".join(encoder.feed([event]) for event in batches) == ":heartbeat\n" * 3


def test_a_stream_that_breaks_on_our_side_says_so_without_a_number() -> None:
    encoder = PredictionEncoder(TURN, FRAMINGS["named"])
    encoder.feed(numbered(TextDelta("Half")))

    last_words = encoder.failure()

    assert names_of(events_of(last_words)) == ["error", "end"]
    assert ids_of(last_words) == []


async def test_the_starter_model_calls_a_tool(starter_runtime: Runtime) -> None:
    from asgiref.sync import sync_to_async
    from django.test import AsyncClient

    flow = await sync_to_async(Flow.objects.default)()
    response = await AsyncClient().post(
        f"/api/v1/prediction/{flow.pk}",
        {"question": "What is 12 * 34?", "streaming": True},
        content_type="application/json",
    )

    events = events_of(b"".join([chunk async for chunk in response]).decode())
    names = names_of(events)
    assert names[0] == "calledTools"
    assert names.index("start") < names.index("usedTools") < names.index("metadata")
    [tools] = [event["data"] for event in events if event["event"] == "usedTools"]
    assert "408" in tools[0]["toolOutput"]
    assert "408" in words_of(events)
