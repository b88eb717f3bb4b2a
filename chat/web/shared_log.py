"""The messages of a shared page, numbered by their place: no id of ours is in it."""

from __future__ import annotations

from dataclasses import dataclass

from chat.domain.events import Numbered, RunFailed, RunFinished, Terminal
from chat.models import Run
from chat.runs.shared_chat import Ending, Extras, SharedChat, SharedMessage
from chat.web.encode import ReplyEncoder
from chat.web.reply_view import ReplyView
from chat.web.shared_events import SharedEvents

_ENDS: dict[Ending, Terminal] = {
    "": RunFinished("stop"),
    "stopped": RunFinished("stopped"),
    "length": RunFinished("length"),
    "failed": RunFailed("failed", ""),
}


@dataclass(frozen=True, slots=True)
class SharedItem:
    """The `number`th message of the page: a question's text, or the view of a reply."""

    number: int
    text: str = ""
    view: ReplyView | None = None


class LiveReply:
    """The `number`th message while it is being written, as it is after its run's first `seq` events."""

    def __init__(self, number: int, run: Run, extras: Extras, events: list[Numbered]) -> None:
        self.number = number
        self.run_id = run.pk
        self.seq = events[-1].seq if events else 0
        self._stored = extras.of_parts(run.reply.content)
        self._extras = extras
        shown = SharedEvents(extras).of(events)
        self.item = SharedItem(number, view=ReplyView.of_events(number, self._stored, shown))

    def encoder(self) -> SharedEncoder:
        """For the events that follow."""
        return SharedEncoder(ReplyView(self.number, self._stored), SharedEvents(self._extras))


class SharedEncoder(ReplyEncoder):
    """Tells viewers what changes in the reply that is being written."""

    sources_template = "share/_sources.html"
    end_template = "share/_end.html"

    def __init__(self, view: ReplyView, events: SharedEvents) -> None:
        super().__init__(view)
        self._events = events

    def skip(self, batch: list[Numbered]) -> None:
        """Take in what the page has already."""
        super().skip(self._events.of(batch))


def items_of(chat: SharedChat, first: int, end: int) -> list[SharedItem]:
    """The messages from number `first` up to before `end`, as far as there are."""
    return [
        _item(number, message)
        for number, message in enumerate(chat.messages[first - 1 : end - 1], start=first)
    ]


def _item(number: int, message: SharedMessage) -> SharedItem:
    if message.is_question:
        return SharedItem(number, text=message.text)
    view = ReplyView(number, message.parts)
    if message.found:
        view.apply(Numbered(1, message.found, at_ms=0))
    view.reply.terminal = _ENDS[message.ending]
    return SharedItem(number, view=view)
