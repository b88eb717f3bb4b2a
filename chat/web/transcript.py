"""A stretch of a conversation for the page: the last messages first, earlier ones on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db.models import Q
from django.utils import timezone

from chat.domain.events import Numbered, RunFailed, RunFinished, Terminal, UsageReported
from chat.models import Conversation, LoggedEvent, Message, Run, RunStatus
from chat.runs.branches import leaf_through
from chat.runs.feedback import feedback_of
from chat.runtime import get_runtime
from chat.web.reply_view import ReplyView

PAGE_SIZE = 50
# At a message that was searched for: as a rule all that follows, so that the chat can go on.
NUM_BEFORE_PLACE = 10
MAX_AT_PLACE = 300
NOTES = ("history_trimmed", "sources_found", "approval_answered")


@dataclass(frozen=True, slots=True)
class Versions:
    """Where a message stands among those that begin at the same place of the tree: the `number`th of `count`."""

    number: int
    count: int
    previous_id: int | None
    next_id: int | None

    @classmethod
    def of(cls, pk: int, siblings: list[int]) -> Versions:
        """`siblings` are all of them, oldest first."""
        at = siblings.index(pk)
        return cls(
            number=at + 1,
            count=len(siblings),
            previous_id=siblings[at - 1] if at else None,
            next_id=siblings[at + 1] if at + 1 < len(siblings) else None,
        )


@dataclass(frozen=True, slots=True)
class Item:
    """A question, or a reply with its view. `age_ms`: how long ago its run was created, from which tools count."""

    message: Message
    view: ReplyView | None = None
    run_id: int | None = None
    age_ms: int = 0
    versions: Versions | None = None
    rating: str = ""

    @property
    def is_live(self) -> bool:
        """A reply that is being written."""
        return self.view is not None and self.run_id is not None and self.view.is_live


@dataclass(frozen=True, slots=True)
class Transcript:
    """Messages in order. `earlier_before`: the id before which older ones stand; None when there are none.

    `other_branch`: a message of them, when they are of another branch than the one that goes on with the next message.
    """

    items: tuple[Item, ...]
    earlier_before: int | None = None
    has_later: bool = False
    other_branch: int | None = None

    @property
    def is_elsewhere(self) -> bool:
        """The next message would not follow these: newer ones do, or they are of another branch."""
        return self.has_later or self.other_branch is not None

    @property
    def usage(self) -> UsageReported | None:
        """What the last answer counted, for the meter of the context."""
        views = [item.view for item in self.items if item.view]
        return views[-1].reply.usage if views else None

    @property
    def live(self) -> Item | None:
        """The reply that is being written, if it is in this stretch."""
        last = self.items[-1] if self.items else None
        return last if last and last.is_live else None


def transcript_of(conversation: Conversation, before: int | None = None) -> Transcript:
    """The last messages, or those before message `before`. The number of queries does not depend on the length."""
    ids = conversation.path_ids()
    if before is not None and before not in ids:
        ids = conversation.path_ids(to=before) or ids  # the page shows another branch
    end = ids.index(before) if before in ids else len(ids)
    start = max(0, end - PAGE_SIZE)
    items = items_of(conversation.messages_by_ids(ids[start:end]))
    return Transcript(tuple(items), ids[start] if start else None, has_later=end < len(ids))


def transcript_at(conversation: Conversation, message_id: int) -> Transcript | None:
    """The messages around this one, on whichever branch it is; None when it is not in the conversation."""
    ids, other_branch = conversation.path_ids(), None
    if message_id not in ids:
        if not conversation.messages.filter(pk=message_id).exists():
            return None
        ids, other_branch = conversation.path_ids(to=leaf_through(conversation, message_id)), message_id
    start = max(0, ids.index(message_id) - NUM_BEFORE_PLACE)
    end = min(start + MAX_AT_PLACE, len(ids))
    items = items_of(conversation.messages_by_ids(ids[start:end]))
    return Transcript(tuple(items), ids[start] if start else None, end < len(ids), other_branch)


def turn_of(run: Run) -> Transcript:
    """A question that was just posted, and its reply."""
    question = run.reply.parent
    return Transcript(tuple(items_of([question, run.reply] if question else [run.reply])))


def items_of(messages: list[Message]) -> list[Item]:
    """The messages with what their last runs tell."""
    replies = [message.pk for message in messages if message.role == Message.Role.ASSISTANT]
    runs = list(Run.objects.filter(reply__in=replies).order_by("pk"))
    last_runs = {run.reply_id: run for run in runs}
    notes = _notes_of(runs)
    siblings = _siblings_of(messages)
    feedback = feedback_of(replies)
    return [
        replace(
            _item(message, last_runs.get(message.pk), notes[message.pk]),
            versions=Versions.of(message.pk, siblings[message.parent_id]),
            rating=feedback[message.pk].rating if message.pk in feedback else "",
        )
        for message in messages
    ]


def _siblings_of(messages: list[Message]) -> Mapping[int | None, list[int]]:
    """The ids of all messages that begin where one of these does, by the id of the message before."""
    parents = Q(parent__in=[message.parent_id for message in messages if message.parent_id is not None])
    if any(message.parent_id is None for message in messages):
        parents |= Q(parent=None)
    siblings: defaultdict[int | None, list[int]] = defaultdict(list)
    if messages:
        rows = Message.objects.filter(parents, conversation=messages[0].conversation_id).order_by("pk")
        for parent_id, pk in rows.values_list("parent_id", "pk"):
            siblings[parent_id].append(pk)
    return siblings


def _item(message: Message, run: Run | None, notes: list[Numbered]) -> Item:
    if message.role == Message.Role.USER:
        return Item(message)
    if run is None:
        view = ReplyView(message.pk, message.content)
        view.reply.terminal = RunFinished("stop")
        return Item(message, view)
    if run.is_live:
        age = timezone.now() - run.created_at
        return Item(message, _live_view(message, run), run.pk, age_ms=int(age.total_seconds() * 1000))
    return Item(message, _ended_view(message, run, notes), run.pk)


def _live_view(message: Message, run: Run) -> ReplyView:
    """What readers of its stream have seen so far. It may have ended since its row was read: the log tells."""
    return ReplyView.of_events(message.pk, message.content, get_runtime().log.read(run.pk))


def _ended_view(message: Message, run: Run, notes: list[Numbered]) -> ReplyView:
    view = ReplyView.of_events(message.pk, message.content, notes)
    reply = view.reply
    reply.model, reply.usage, reply.terminal = run.model, run.usage_report, _terminal_of(run)
    return view


def _terminal_of(run: Run) -> Terminal:
    if run.status in (RunStatus.INTERRUPTED, RunStatus.ERROR):
        return RunFailed(run.error_code, run.error_message, run.error_hint)
    if run.status == RunStatus.STOPPED:
        return RunFinished("stopped")
    return RunFinished("length" if run.finish_reason == "length" else "stop")


def _notes_of(runs: list[Run]) -> Mapping[int, list[Numbered]]:
    """The few events that stored replies do not hold, by reply, also of runs that others have continued: what was
    trimmed, which sources there were, who allowed what.
    """
    reply_of = {run.pk: run.reply_id for run in runs if not run.is_live}
    notes: defaultdict[int, list[Numbered]] = defaultdict(list)
    for row in LoggedEvent.objects.filter(run__in=reply_of, kind__in=NOTES).order_by("pk"):
        notes[reply_of[row.run_id]].append(row.numbered)
    return notes
