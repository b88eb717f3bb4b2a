"""A page and its stream together show the reply, wherever the page was loaded and however the stream was cut."""

from __future__ import annotations

import uuid

from django.template.loader import render_to_string
from django.utils.html import escape
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain.events import (
    Numbered,
    RunFinished,
    RunStarted,
    StatusChanged,
    TextDelta,
    kind_of,
)
from chat.domain.reply import ReplyBuilder
from chat.models import Conversation, Message, Run
from chat.web.encode import PageEncoder
from chat.web.reply_view import ReplyView
from chat.web.transcript import NOTES
from chat.web.words import announcement, ordinal, status_text
from tests.web.page_dom import Page
from tests.web.run_events import numbered, runs


def make_run(stored: str = "") -> Run:
    reply = Message(pk=7, parts=[{"kind": "text", "text": stored}] if stored else [])
    return Run(pk=3, reply=reply, conversation=Conversation(pk=uuid.UUID(int=1)))


def page_after(events: list[Numbered], run: Run) -> Page:
    """The page as the server renders it when these events have happened."""
    return page_of(ReplyView.of_events(run.reply_id, run.reply.content, events), run)


def page_of(view: ReplyView, run: Run) -> Page:
    dot = '<b class="dot"></b>' if view.is_live else ""
    action = render_to_string("chat/_stop.html", {"run_id": run.pk})
    context = render_to_string("chat/_context.html", {"usage": view.reply.usage})
    return Page(
        render_to_string("chat/_reply.html", {"view": view, "run_id": run.pk})
        + f'<p id="status-text">{escape(status_text(view))}</p><p id="announcement">{announcement(view)}</p>'
        + f'<i id="context">{context}</i>'
        + f'<i id="composer-action">{action if view.is_live else render_to_string("chat/_send.html")}</i>'
        + f'<i id="dot-{run.conversation_id}">{dot}</i>'
    )


def stream(events: list[Numbered], run: Run, after: int, batch_size: int) -> str:
    """What the reader is sent who has seen the events up to `after`."""
    encoder = PageEncoder(run)
    encoder.skip(events[:after])
    new = events[after:]
    return "".join(encoder.feed(new[at : at + batch_size]) for at in range(0, len(new), batch_size))


@settings(max_examples=150, deadline=None)
@given(events=runs(), data=st.data())
def test_a_page_loaded_anywhere_ends_like_one_that_watched_from_the_start(
    events: list[Numbered], data: st.DataObject
) -> None:
    run, after = make_run(), data.draw(st.integers(0, len(events) - 1))
    batch_size = data.draw(st.integers(1, 5))

    late = page_after(events[:after], run).receive(stream(events, run, after, batch_size))

    watched = page_after([], run).receive(stream(events, run, after=0, batch_size=1))
    assert late.without("data-stream") == watched.without("data-stream")
    assert late.without("data-stream") == page_after(events, run).without("data-stream")


@settings(max_examples=80, deadline=None)
@given(events=runs())
def test_a_conversation_opened_again_shows_what_was_watched(events: list[Numbered]) -> None:
    run, reply = make_run(), ReplyBuilder.of(events)
    notes = [note for note in events if kind_of(note.event) in NOTES]

    opened_again = ReplyView.of_events(run.reply_id, reply.parts, notes)
    opened_again.reply.model, opened_again.reply.usage = reply.model, reply.usage
    opened_again.reply.terminal = reply.terminal

    watched = page_after([], run).receive(stream(events, run, after=0, batch_size=1))
    assert watched.without("data-stream") == page_of(opened_again, run).without("data-stream")


@settings(max_examples=50, deadline=None)
@given(events=runs(), data=st.data())
def test_a_continued_reply_keeps_its_text_until_the_new_run_has_it(
    events: list[Numbered], data: st.DataObject
) -> None:
    run, after = make_run(stored="What was there."), data.draw(st.integers(0, len(events) - 1))

    late = page_after(events[:after], run).receive(stream(events, run, after, batch_size=2))

    assert late.without("data-stream") == page_after(events, run).without("data-stream")


def test_a_finished_block_is_sent_once() -> None:
    events = numbered(*(TextDelta(f"Paragraph {i}.\n\n") for i in range(20)), RunFinished("stop"))

    sent = stream(events, make_run(), after=0, batch_size=1)

    # Once while it may still grow, once as finished, and all of them once more as Markdown to copy.
    assert sent.count("Paragraph 3.") <= 3


def test_a_link_whose_address_comes_last_is_a_link_once_the_answer_is_there() -> None:
    events = numbered(
        TextDelta("See [here].\n\nMore.\n\n"), TextDelta("[here]: http://e.org"), RunFinished("stop")
    )

    page = page_after([], make_run()).receive(stream(events, make_run(), after=0, batch_size=1))

    assert 'href="http://e.org"' in page.without("data-stream")


def test_a_long_open_block_is_not_sent_again_with_every_word() -> None:
    items = [TextDelta(f"- item number {i} with some words\n") for i in range(500)]
    events = [Numbered(seq, event, at_ms=seq * 40) for seq, event in enumerate(items, start=1)]

    sent = stream(events, make_run(), after=0, batch_size=1)

    assert len(sent) < 1.5 * 40 * events[-1].at_ms  # 40 characters a millisecond
    assert sent.count("id: ") > 20


def test_the_end_closes_the_stream() -> None:
    sent = stream(numbered(RunStarted("starter"), RunFinished("stop")), make_run(), after=0, batch_size=9)

    assert sent.endswith("event: done\ndata: \n\n")
    assert sent.startswith("retry: 2000\nid: 2\ndata: ")


def test_a_reader_who_has_seen_everything_is_only_told_to_close() -> None:
    events = numbered(RunStarted("starter"), RunFinished("stop"))
    encoder = PageEncoder(make_run())
    encoder.skip(events[:1])

    assert encoder.feed(events[1:]).endswith("event: done\ndata: \n\n")


def test_models_cannot_forge_events() -> None:
    text = "x\n\nevent: done\ndata: [DONE]\n\nid: 99\r\rdata: y"

    sent = stream(numbered(TextDelta(text), RunFinished("stop")), make_run(), after=0, batch_size=1)

    names = [line.split(":")[0] for line in sent.replace("\r", "\n").split("\n") if line]
    assert set(names) == {"retry", "id", "data", "event"}
    assert names.count("event") == 1


def test_models_cannot_send_swaps_of_their_own() -> None:
    text = '<hx-partial hx-target="body">x</hx-partial> <div hx-get="/" hx-trigger="load">'

    sent = stream(numbered(TextDelta(text), RunFinished("stop")), make_run(), after=0, batch_size=1)

    assert '<hx-partial hx-target="body">' not in sent
    assert "<div hx-get" not in sent


def test_every_state_has_words() -> None:
    def words(event: StatusChanged) -> str:
        return status_text(ReplyView.of_events(1, (), numbered(event)))

    assert words(StatusChanged("queued", position=2)) == "2nd in line"
    assert words(StatusChanged("queued", position=2, estimated_s=45)) == "2nd in line, about 45 s"
    assert words(StatusChanged("queued", position=2, estimated_s=170)) == "2nd in line, about 3 min"
    assert words(StatusChanged("loading")) == "Loading the model"
    assert words(StatusChanged("reading", progress=0.4)) == "Reading 40 %"
    assert words(StatusChanged("writing")) == "Writing"
    assert status_text(ReplyView(1)) == "Starting"


def test_places_in_line_are_counted_in_english() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip


def test_screen_readers_hear_the_start_and_the_end_only() -> None:
    events = numbered(
        RunStarted("starter"), StatusChanged("writing"), TextDelta("Hi"), RunFinished("stopped")
    )

    sent = stream(events, make_run(), after=0, batch_size=1)

    assert sent.count('"#announcement"') == 2
    assert "Answer started" in sent
    assert "Answer stopped" in sent
