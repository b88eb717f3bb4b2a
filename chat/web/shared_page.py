"""What stands behind a link at this moment, a stretch of it at a time.

A copy is read from its beginning; a chat that goes on is watched at its end, and what came before is a page of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.models import ShareLink
from chat.runs.log import EventLog
from chat.runs.shared_chat import SharedChat
from chat.runs.shares import extras_of, live_run, shared_chat
from chat.web.shared_log import LiveReply, SharedItem, items_of
from chat.web.words import status_text

PAGE_SIZE = 50
LEAD_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class SharedPage:
    """`live` is the last item, if it is being written. `earlier` and `later` are the numbers of the messages with
    which the pages before and after this one begin; None where there is none.

    `follows` tells whether what comes will stand on this page. `lead` are the first words of the chat.
    """

    title: str
    items: Sequence[SharedItem]
    live: LiveReply | None
    earlier: int | None
    later: int | None
    follows: bool
    lead: str

    @property
    def status(self) -> str:
        """What is being done about the answer."""
        view = self.items[-1].view if self.live else None
        return status_text(view) if view else ""


def page_of(link: ShareLink, log: EventLog, start: int | None = None) -> SharedPage:
    """The messages from number `start` on; without one, those that the address of the link shows."""
    chat, run = shared_chat(link), live_run(link)
    num_items = len(chat.messages) + (run is not None)
    last_page = max(1, num_items - PAGE_SIZE + 1)
    follows = link.is_live and (start is None or start >= last_page)
    first = last_page if follows else min(max(1, start or 1), num_items)
    end = min(first + PAGE_SIZE, num_items + 1)
    items = items_of(chat, first, end)
    live = LiveReply(num_items, run, extras_of(link), log.read(run.pk)) if run and follows else None
    return SharedPage(
        chat.title,
        [*items, live.item] if live else items,
        live,
        earlier=max(1, first - PAGE_SIZE) if first > 1 else None,
        later=end if end <= num_items else None,
        follows=follows,
        lead=_lead(chat),
    )


def _lead(chat: SharedChat) -> str:
    """The first lines of the first answer, else of the question, for a preview."""
    answers = (message.text for message in chat.messages if not message.is_question)
    questions = (message.text for message in chat.messages if message.is_question)
    words = " ".join((next(filter(None, answers), "") or next(filter(None, questions), "")).split())
    return words if len(words) <= LEAD_MAX_CHARS else f"{words[: LEAD_MAX_CHARS - 1]}…"
