"""A stretch of a conversation for the page: the last messages first, earlier ones on demand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chat.domain.events import HistoryTrimmed, RunFailed, RunFinished, SourcesFound, Terminal, kind_of
from chat.models import Conversation, LoggedEvent, Message, Run, RunStatus
from chat.runtime import get_runtime
from chat.web.reply_view import ReplyView

PAGE_SIZE = 50
_NOTES = ("history_trimmed", "sources_found")


@dataclass(frozen=True, slots=True)
class Item:
    """A question, or a reply with its view."""

    message: Message
    view: ReplyView | None = None
    run_id: int | None = None

    @property
    def is_live(self) -> bool:
        """A reply that is being written."""
        return self.view is not None and self.run_id is not None and self.view.is_live


@dataclass(frozen=True, slots=True)
class Transcript:
    """Messages in order. `earlier_before`: the id before which older ones stand; None when there are none."""

    items: tuple[Item, ...]
    earlier_before: int | None = None
    has_later: bool = False

    @property
    def live(self) -> Item | None:
        """The reply that is being written, if it is in this stretch."""
        last = self.items[-1] if self.items else None
        return last if last and last.is_live else None


def transcript_of(conversation: Conversation, before: int | None = None) -> Transcript:
    """The last messages, or those before message `before`. The number of queries does not depend on the length."""
    ids = conversation.path_ids()
    end = ids.index(before) if before in ids else len(ids)
    start = max(0, end - PAGE_SIZE)
    items = items_of(conversation.messages_by_ids(ids[start:end]))
    return Transcript(tuple(items), ids[start] if start else None, has_later=end < len(ids))


def turn_of(run: Run) -> Transcript:
    """A question that was just posted, and its reply."""
    question = run.reply.parent
    return Transcript(tuple(items_of([question, run.reply] if question else [run.reply])))


def items_of(messages: list[Message]) -> list[Item]:
    """The messages with what their last runs tell."""
    replies = [message.pk for message in messages if message.role == Message.Role.ASSISTANT]
    last_runs = {run.reply_id: run for run in Run.objects.filter(reply__in=replies).order_by("pk")}
    notes = _notes_of(last_runs.values())
    return [_item(message, last_runs.get(message.pk), notes) for message in messages]


def _item(message: Message, run: Run | None, notes: list[LoggedEvent]) -> Item:
    if message.role == Message.Role.USER:
        return Item(message)
    if run is None:
        view = ReplyView(message.pk, message.content)
        view.reply.terminal = RunFinished("stop")
        return Item(message, view)
    if run.is_live:
        return Item(message, _live_view(message, run), run.pk)
    return Item(message, _ended_view(message, run, [note for note in notes if note.run_id == run.pk]), run.pk)


def _live_view(message: Message, run: Run) -> ReplyView:
    """What readers of its stream have seen so far. It may have ended since its row was read: the log tells."""
    return ReplyView.of_events(message.pk, message.content, get_runtime().log.read(run.pk))


def _ended_view(message: Message, run: Run, notes: Iterable[LoggedEvent]) -> ReplyView:
    view = ReplyView(message.pk, message.content)
    reply = view.reply
    reply.model, reply.usage, reply.terminal = run.model, run.usage_report, _terminal_of(run)
    for note in notes:
        match event := note.numbered.event:
            case HistoryTrimmed():
                reply.num_trimmed = event.num_messages
            case SourcesFound():
                reply.sources = event.sources
            case _:
                raise ValueError(f"{kind_of(event)} is no note")
    return view


def _terminal_of(run: Run) -> Terminal:
    if run.status in (RunStatus.INTERRUPTED, RunStatus.ERROR):
        return RunFailed(run.error_code, run.error_message, run.error_hint)
    if run.status == RunStatus.STOPPED:
        return RunFinished("stopped")
    return RunFinished("length" if run.finish_reason == "length" else "stop")


def _notes_of(runs: Iterable[Run]) -> list[LoggedEvent]:
    """The few events that a stored reply does not hold: what was trimmed, which sources there were."""
    ended = [run.pk for run in runs if not run.is_live]
    return list(LoggedEvent.objects.filter(run__in=ended, kind__in=_NOTES).order_by("pk"))
