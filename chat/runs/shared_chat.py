"""What the viewers of a link are given: turns without ids, and without what the owner did not tick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from chat.domain.events import SourcesFound, event_from_dict, event_to_dict
from chat.domain.messages import ImagePart, Part, TextPart, part_from_dict, part_to_dict, text_of
from chat.models import Conversation, LoggedEvent, Message, Run, RunStatus

# How an answer broke off; "" for one that is whole.
Ending = Literal["", "stopped", "length", "failed"]


@dataclass(frozen=True, slots=True)
class Extras:
    """What is shown besides questions and answers: calls of tools with the model's thoughts, and source passages."""

    tools: bool = False
    sources: bool = False

    def of_parts(self, parts: Iterable[Part]) -> tuple[Part, ...]:
        """Those parts of a message that are shown. Pictures are their owner's alone."""
        shown = (part for part in parts if not isinstance(part, ImagePart))
        return tuple(part for part in shown if self.tools or isinstance(part, TextPart))

    def of_sources(self, found: SourcesFound | None) -> SourcesFound | None:
        """The passages without the way to their documents; None when they are not shown."""
        if found is None or not self.sources:
            return None
        sources = tuple(replace(source, document_id="", start=0, end=0) for source in found.sources)
        return replace(found, sources=sources)


NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True)
class SharedMessage:
    """A question, or an answer with its passages."""

    is_question: bool
    parts: tuple[Part, ...]
    found: SourcesFound | None = None
    ending: Ending = ""

    @property
    def text(self) -> str:
        """The words for the reader."""
        return text_of(self.parts)

    @property
    def role(self) -> Message.Role:
        """As it is stored in a conversation."""
        return Message.Role.USER if self.is_question else Message.Role.ASSISTANT

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form; `from_dict` reads it back."""
        return {
            "is_question": self.is_question,
            "parts": [part_to_dict(part) for part in self.parts],
            "found": event_to_dict(self.found) if self.found else None,
            "ending": self.ending,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Raises: KeyError or TypeError for what `to_dict` has not made."""
        found = event_from_dict("sources_found", stored["found"]) if stored["found"] else None
        return cls(
            stored["is_question"],
            tuple(map(part_from_dict, stored["parts"])),
            found if isinstance(found, SourcesFound) else None,
            stored["ending"],
        )


@dataclass(frozen=True, slots=True)
class SharedChat:
    """A branch, oldest message first."""

    title: str
    messages: tuple[SharedMessage, ...]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form; `from_dict` reads it back."""
        return {"title": self.title, "messages": [message.to_dict() for message in self.messages]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Raises: KeyError or TypeError for what `to_dict` has not made."""
        return cls(stored["title"], tuple(map(SharedMessage.from_dict, stored["messages"])))


def shown_branch(conversation: Conversation, extras: Extras) -> SharedChat:
    """The branch on show as it is stored; an answer that is being written is not in it."""
    runs = {run.reply_id: run for run in conversation.runs.order_by("pk")}
    found = _found_by_reply(conversation)
    messages = [
        _shared(message, runs.get(message.pk), found.get(message.pk), extras)
        for message in conversation.path()
        if not (message.pk in runs and runs[message.pk].is_live)
    ]
    return SharedChat(str(conversation), tuple(messages))


def _found_by_reply(conversation: Conversation) -> dict[int, SourcesFound]:
    """The last word on each answer's passages."""
    rows = LoggedEvent.objects.filter(run__conversation=conversation, kind="sources_found")
    found: dict[int, SourcesFound] = {}
    for row in rows.select_related("run").order_by("pk"):
        if isinstance(event := row.numbered.event, SourcesFound):
            found[row.run.reply_id] = event
    return found


def _shared(message: Message, run: Run | None, found: SourcesFound | None, extras: Extras) -> SharedMessage:
    return SharedMessage(
        message.is_question,
        extras.of_parts(message.content),
        extras.of_sources(found),
        _ending_of(run) if run else "",
    )


def _ending_of(run: Run) -> Ending:
    """Why it failed is the owner's business."""
    match run.status:
        case RunStatus.ERROR:
            return "failed"
        case RunStatus.STOPPED | RunStatus.INTERRUPTED:
            return "stopped"
        case _:
            return "length" if run.finish_reason == "length" else ""
