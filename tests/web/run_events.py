"""Made-up runs: everything that may happen in one, in any order that it may happen in."""

from __future__ import annotations

import uuid

from hypothesis import strategies as st

from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    HistoryTrimmed,
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

MARKDOWN = [
    "Hello ", "**bold", "** and `code`", "\n\n", "\n", "# Title\n", "- one\n- two\n", "```python\nprint(1)\n", "```\n",
    "| a | b |\n|---|---|\n", "| 1 | 2 |\n", "$x^2$", "1. first\n", "> quoted\n", "[link](https://example.org)",
    "<b>raw</b>", "\r", "\u2028", "é🙂", "see [here]", "\n\n[here]: http://e.org\n\n",
    "fact[1]. ", "see [2][3]", "[1", "]", "`[2]`", "[3](http://e.org)", "\n\n[2]: http://e.org\n\n",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(MARKDOWN), min_size=1, max_size=4).map("".join)
STATES = st.one_of(
    st.sampled_from(
        ["loading", "indexing", "searching", "thinking", "writing", "calling", "asking", "restarting"]
    ).map(StatusChanged),
    st.integers(1, 30).map(lambda n: StatusChanged("queued", position=n)),
    st.floats(0, 1).map(lambda x: StatusChanged("reading", progress=x)),
)
ENDS = st.sampled_from(
    [
        RunFinished("stop"),
        RunFinished("stopped"),
        RunFinished("length"),
        RunFailed("interrupted", "The server stopped.", "Press Continue."),
        RunFailed("out_of_memory", "Too big <b>", "Choose a smaller one."),
    ]
)


@st.composite
def tool_rounds(draw: st.DrawFn) -> list[Event]:
    """Calls side by side: some wait for a person's word, and results come in any order or not at all."""
    ids = [draw(st.uuids()).hex for _ in range(draw(st.integers(1, 3)))]
    events: list[Event] = [ToolStarted(id_, "calculator", {"expression": draw(TEXT)}) for id_ in ids]
    later: list[list[Event]] = []
    for id_ in ids:
        result = ToolFinished(id_, "calculator", draw(TEXT), draw(st.booleans()), 40)
        word = [ApprovalAsked(id_), ApprovalAnswered(id_, draw(st.booleans()))]
        stages = [*(word if draw(st.booleans()) else []), result]
        later.append(stages[: draw(st.integers(0, len(stages)))])
    while later := [stages for stages in later if stages]:
        events.append(draw(st.sampled_from(later)).pop(0))
    return events


@st.composite
def searches(draw: st.DrawFn) -> list[Event]:
    """The passages 1 to n."""
    sources = (
        Source(
            n,
            f"Guide {n}.pdf",
            "An <i>excerpt</i>",
            str(uuid.UUID(int=n)) if n > 1 else "",
            draw(PAGES),
            5,
            9,
            n,
        )
        for n in range(1, draw(st.integers(0, 3)) + 1)
    )
    return [SourcesFound(tuple(sources), draw(st.booleans()))]


PAGES = st.one_of(st.none(), st.integers(1, 9))
STEPS = st.one_of(
    TEXT.map(lambda text: [TextDelta(text)]),
    TEXT.map(lambda text: [ReasoningDelta(text)]),
    STATES.map(lambda state: [state]),
    tool_rounds(),
    searches(),
    st.integers(1, 9).map(lambda n: [HistoryTrimmed(n)]),
)


@st.composite
def runs(draw: st.DrawFn) -> list[Numbered]:
    """All events of a run that has ended."""
    events: list[Event] = [RunStarted("starter")]
    for step in draw(st.lists(STEPS, max_size=12)):
        events += step
    if draw(st.booleans()):
        events.append(UsageReported(10, 4, 20, 5, 100, 900))
    events.append(draw(ENDS))
    return numbered(*events, pace_ms=draw(st.sampled_from([0, 40, 700])))


def numbered(*events: Event, pace_ms: int = 1000) -> list[Numbered]:
    """The events as the log gives them out."""
    return [Numbered(seq, event, at_ms=seq * pace_ms) for seq, event in enumerate(events, start=1)]
