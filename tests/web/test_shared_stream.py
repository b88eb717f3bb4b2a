"""What those who have a shared page open are told while it goes on, and when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.utils import timezone

from chat.domain.events import Event, RunFinished, StatusChanged, TextDelta, ToolFinished, ToolStarted
from chat.models import Conversation, Run, ShareLink, User
from chat.runs.shared_chat import Extras
from chat.runs.shares import LinkTerms, create_link, revoke
from chat.runtime import Runtime
from tests.web.chatting import store_turn
from tests.web.shared_chats import TELLS_OF_ROWS, stand_out

PATIENCE_S = 60


@pytest.fixture
def chat(alice: User, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Conversation:
    """Alice's; its rows have numbers that stand out."""
    monkeypatch.setattr("chat.web.shared_stream.CHECK_INTERVAL_S", 0.05)
    conversation = Conversation.objects.create(owner=alice, title="About tea", updated_at=timezone.now())
    stand_out(alice)
    return conversation


def begin(runtime: Runtime, chat: Conversation, question: str) -> Run:
    """An answer that is being written, without a word so far."""
    run = store_turn(chat, question, [])
    runtime.log.open(run.pk, run.created_at)
    return run


class Reader:
    """Somebody with the page open."""

    def __init__(self, link: ShareLink) -> None:
        self.text = ""
        self._link = link

    async def open(self, query: str = "") -> None:
        response = await AsyncClient().get(f"/s/{self._link.token}/events{query}")
        assert response["Content-Type"] == "text/event-stream"
        self._chunks: AsyncIterator[bytes] = response.streaming_content

    async def until(self, words: str) -> None:
        """Read on until these words have come."""
        async with asyncio.timeout(PATIENCE_S):
            while words not in self.text:
                self.text += (await anext(self._chunks)).decode()

    async def to_the_end(self) -> str:
        """All that is still said."""
        async with asyncio.timeout(PATIENCE_S):
            return "".join([chunk.decode() async for chunk in self._chunks])


def test_words_arrive_as_they_are_written_and_then_the_next_answer(
    runtime: Runtime, chat: Conversation
) -> None:
    run = begin(runtime, chat, "Is tea good?")
    reader = Reader(create_link(chat, LinkTerms(is_live=True)))

    def write(*events: Event) -> None:
        for event in events:
            runtime.log.append(run.pk, event)

    async def watch() -> None:
        await reader.open()
        await reader.until("Is tea good?")
        await sync_to_async(write)(StatusChanged("calling"), TextDelta("Tea is"))
        await reader.until("Tea is")
        await sync_to_async(write)(
            ToolStarted("call-77", "calculator"), ToolFinished("call-77", "calculator", "secret 42", False, 1)
        )
        await sync_to_async(write)(TextDelta("very **good**"))
        await reader.until("<strong>good</strong>")
        await sync_to_async(runtime.log.finish)(
            run.pk, RunFinished("stop"), lambda: Run.objects.update(status="done")
        )
        await reader.until("Answer finished")
        await sync_to_async(begin)(runtime, chat, "And coffee?")
        await reader.until("And coffee?")

    asyncio.run(watch())

    assert not TELLS_OF_ROWS.search(reader.text)
    for hidden in ("secret 42", "call-77", "/runs/", "Using a tool"):
        assert hidden not in reader.text


def close_by_revoking(link: ShareLink) -> None:
    revoke(link)


def close_by_expiry(link: ShareLink) -> None:
    ShareLink.objects.filter(pk=link.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def close_by_deletion(link: ShareLink) -> None:
    Conversation.objects.filter(pk=link.conversation_id).update(deleted_at=timezone.now())


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "frozen"])
@pytest.mark.parametrize("close", [close_by_revoking, close_by_expiry, close_by_deletion])
def test_whoever_has_the_page_open_is_cut_off(
    runtime: Runtime, chat: Conversation, close: Callable[[ShareLink], None], is_live: bool
) -> None:
    store_turn(chat, "Is tea good?", [TextDelta("Very."), RunFinished("stop")])
    if is_live:
        begin(runtime, chat, "Sure?")  # closed also in the middle of an answer
    reader = Reader(create_link(chat, LinkTerms(is_live=is_live, extras=Extras(tools=True))))

    async def watch() -> str:
        await reader.open()
        await reader.until("Very." if is_live else "retry")
        await sync_to_async(close)(reader._link)
        return await reader.to_the_end()

    last_words = asyncio.run(watch())

    assert 'hx-target="#main"' in last_words
    assert "This link has been closed" in last_words
    assert last_words.endswith("event: done\ndata: \n\n")


def test_a_page_of_earlier_messages_is_told_of_the_end_alone(runtime: Runtime, chat: Conversation) -> None:
    store_turn(chat, "Is tea good?", [TextDelta("Yes."), RunFinished("stop")])
    link = create_link(chat, LinkTerms(is_live=True))
    reader = Reader(link)

    async def watch() -> str:
        await reader.open("?still")
        await reader.until("retry")
        await sync_to_async(store_turn)(chat, "And coffee?", [TextDelta("Too."), RunFinished("stop")])
        await sync_to_async(revoke)(link)
        return await reader.to_the_end()

    end = asyncio.run(watch())

    assert "This link has been closed" in end
    assert "coffee" not in end
