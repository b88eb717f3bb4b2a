"""The words for what a run is doing and how it ended."""

from __future__ import annotations

from chat.domain.errors import Interrupted
from chat.domain.events import RunFailed, RunFinished, StatusChanged
from chat.web.reply_view import ReplyView

_STATES = {
    "waiting": "Waiting for memory: other models are busy",
    "loading": "Loading the model",
    "indexing": "Reading the documents",
    "searching": "Searching the documents",
    "looking": "Looking at the picture",
    "thinking": "Thinking",
    "writing": "Writing",
    "calling": "Using a tool",
    "asking": "Waiting for your permission",
    "restarting": "Restarting the engine",
}


def status_text(view: ReplyView) -> str:
    """What the run is doing now; "" when it has ended."""
    if not view.is_live:
        return ""
    state = view.reply.state
    if state is None:
        return "Starting"
    if state.state == "queued":
        return _queued(state)
    if state.state == "reading":
        return _reading(state)
    return _STATES[state.state]


def announcement(view: ReplyView) -> str:
    """What a screen reader says: at the start, at the end, and when a person's word is needed."""
    match view.reply.terminal:
        case None:
            return _permission(view) or ("Answer started" if view.reply.last_seq else "")
        case RunFinished(reason="stopped"):
            return "Answer stopped"
        case RunFinished():
            return "Answer finished"
        case RunFailed(code=Interrupted.code):
            return "Answer interrupted"
        case RunFailed():
            return "Answer failed"


def _permission(view: ReplyView) -> str:
    if asking := [call.call.name for call in view.calls if call.phase == "asking"]:
        return f"Permission needed to call {', '.join(asking)}"
    return "Permission answered" if any(call.is_asked for call in view.calls) else ""


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th ... 11th."""
    if 10 < number % 100 < 20:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _queued(state: StatusChanged) -> str:
    place = f"{ordinal(state.position)} in line" if state.position else "In line"
    return f"{place}, about {duration(state.estimated_s)}" if state.estimated_s else place


def duration(seconds: int) -> str:
    """Roughly, as people say it: 40 s, 3 min."""
    return f"{seconds} s" if seconds < 100 else f"{round(seconds / 60)} min"


def _reading(state: StatusChanged) -> str:
    return "Reading" if state.progress is None else f"Reading {state.progress:.0%}".replace("%", " %")
