"""What an open shared page is told: the chat as it goes on, and at once that the link is closed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from asgiref.sync import sync_to_async
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape

from chat.models import ShareLink
from chat.runs.log import EventLog
from chat.web.encode import CLOSE, RETRY
from chat.web.partials import partial, sse_message
from chat.web.shared_log import LiveReply, SharedEncoder
from chat.web.shared_page import SharedPage, page_of

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0
PING_INTERVAL_S = 15.0

# What a page shows: title, last message, and the run that wrote it or writes it.
Shown = tuple[str, int | None, int | None]
FROZEN: Shown = ("", None, None)


async def shared_frames(log: EventLog, token: str, *, follows: bool) -> AsyncIterator[str]:
    """The page anew whenever it is another, and an answer as it is written; ends when the link is closed.

    A reader who comes back is given all of it: what was missed does not matter. A frozen copy, and a page of earlier
    messages (without `follows`), is on the page already: only the end is told.
    """
    try:
        async for frame in _frames(log, token) if follows else _end_of(token):
            yield frame
    except asyncio.CancelledError:
        raise
    except Exception:  # the border of the stream: the reader comes back
        logger.exception("the stream of a shared page broke")
        yield ": broken\n\n"


async def _frames(log: EventLog, token: str) -> AsyncIterator[str]:
    shown, said_at = FROZEN, time.monotonic()
    yield f"{RETRY}\n"
    while (now := await _look(token)) is not None:
        if now != shown:
            shown, said_at = now, time.monotonic()
            page = await sync_to_async(_page)(log, token)
            if page is None:
                break
            yield _whole(page, token)
            if page.live:
                encoder = page.live.encoder()
                async for frame in _growth(log, token, page.live, encoder, shown):
                    yield frame
                # Not over, but the log does not have it (yet), or the page is another: look again.
                shown = now if encoder.is_over else FROZEN
        elif time.monotonic() - said_at > PING_INTERVAL_S:
            said_at = time.monotonic()
            yield ": ping\n\n"
        await asyncio.sleep(CHECK_INTERVAL_S)
    yield _closed()


async def _end_of(token: str) -> AsyncIterator[str]:
    """Nothing but that the link is closed."""
    said_at = time.monotonic()
    yield f"{RETRY}\n"
    while await _look(token) is not None:
        if time.monotonic() - said_at > PING_INTERVAL_S:
            said_at = time.monotonic()
            yield ": ping\n\n"
        await asyncio.sleep(CHECK_INTERVAL_S)
    yield _closed()


async def _growth(
    log: EventLog, token: str, live: LiveReply, encoder: SharedEncoder, shown: Shown
) -> AsyncIterator[str]:
    """The answer as it is written, for as long as the page is to show it."""
    looked_at = time.monotonic()
    async with aclosing(log.follow(live.run_id, tick_s=CHECK_INTERVAL_S)) as batches:
        async for batch in batches:
            if time.monotonic() - looked_at >= CHECK_INTERVAL_S:
                looked_at = time.monotonic()
                if await _look(token) != shown:
                    return
            if not batch:
                yield encoder.ping()
            encoder.skip([numbered for numbered in batch if numbered.seq <= live.seq])
            new = [numbered for numbered in batch if numbered.seq > live.seq]
            if new and (text := encoder.feed(new)):
                yield text


def _page(log: EventLog, token: str) -> SharedPage | None:
    link = ShareLink.objects.open().select_related("conversation").filter(token=token).first()
    return page_of(link, log) if link else None


@sync_to_async
def _look(token: str) -> Shown | None:
    """What the page is to show; None when the link is closed."""
    open_links = ShareLink.objects.open().select_related("conversation").filter(token=token)
    link = open_links.defer("snapshot").first()
    if link is None:
        return None
    if not link.is_live:
        return FROZEN
    conversation = link.conversation
    newest = conversation.runs.filter(reply=conversation.leaf_id).order_by("-pk").values_list("pk", flat=True)
    return str(conversation), conversation.leaf_id, newest.first()


def _closed() -> str:
    return sse_message(partial("#main", "innerHTML", render_to_string("share/_closed.html")), 0) + CLOSE


def _whole(page: SharedPage, token: str) -> str:
    html = render_to_string("share/_log.html", {"page": page, "address": reverse("shared", args=[token])})
    return sse_message(
        partial("#log", "innerMorph", html)
        + partial("title", "textContent", f"{escape(page.title)} · Parley")
        + partial(".page-title", "textContent", escape(page.title))
        + partial("#status-text", "innerHTML", escape(page.status)),
        page.live.seq if page.live else 0,
    )
