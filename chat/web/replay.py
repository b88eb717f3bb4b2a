"""Plays an ended answer back as it happened: the events of its log again, at their times, for a page of their own.

It writes nothing and asks no model. Whoever leaves the stream ends it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence

from chat.domain.events import ApprovalAsked, Numbered
from chat.models import Run
from chat.web.encode import CLOSE, PageEncoder
from chat.web.partials import partial

logger = logging.getLogger(__name__)

SPEEDS = (1, 4)
MAX_GAP_S = 3.0


class ReplayEncoder(PageEncoder):
    """As on the chat's page, without what acts on the answer at its end."""

    closing = ""  # `replayed` says it, also where the log has no end

    def end(self) -> Iterator[str]:
        """It was only played."""
        yield partial("#status-text", "innerHTML", "Played to the end")


async def replayed(run: Run, events: Sequence[Numbered], speed: int, after: int) -> AsyncIterator[str]:
    """The frames of the stream. What a reader has seen already, up to event `after`, is skipped."""
    encoder = ReplayEncoder(run)
    try:
        # A question that was answered long ago is not asked again.
        shown = [each for each in events if not isinstance(each.event, ApprovalAsked)]
        encoder.skip([each for each in shown if each.seq <= after])
        last_ms = None
        for each in shown:
            if each.seq <= after:
                continue
            if last_ms is not None:
                await asyncio.sleep(min((each.at_ms - last_ms) / 1000 / speed, MAX_GAP_S))
            last_ms = each.at_ms
            if text := encoder.feed([each]):
                yield text
    except asyncio.CancelledError:
        raise
    except Exception:  # the border of the stream, as in `chat.http.streaming`
        logger.exception("the replay of run %s broke", run.pk)
    yield CLOSE
