"""The generations of a run, found again in its log, each with the request that the model was given.

An answer that calls tools is written in several rounds, and each begins with all that was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.domain.events import Numbered, SourcesFound, StatusChanged, ToolFinished
from chat.domain.messages import Part
from chat.domain.params import GenerationRequest
from chat.domain.reply import ReplyBuilder
from chat.models import LoggedEvent, Run
from chat.runs.pictures import with_pictures
from chat.runs.prompt import build_request, history_of
from chat.runs.recipe import Recipe
from chat.runs.sources import with_passages

_GENERATING = ("queued", "waiting", "loading", "reading", "looking", "thinking", "writing")


@dataclass(frozen=True, slots=True)
class Round:
    """One generation: what the answer had when it began, and when it ended, in parts. It began at `at_ms`."""

    before: tuple[Part, ...]
    after: tuple[Part, ...]
    at_ms: int = 0


def events_of(run: Run) -> list[Numbered]:
    """What the log tells of an ended run, in order; a copy of a run has only a few of its events."""
    return [row.numbered for row in LoggedEvent.objects.filter(run=run).order_by("seq")]


def rounds_of(run: Run, events: Sequence[Numbered]) -> list[Round]:
    """In order. A log that tells of none is taken for one round that wrote the whole answer."""
    reply, rounds = ReplyBuilder(), list[Round]()
    begun: tuple[tuple[Part, ...], int] | None = None
    for numbered in events:
        event = numbered.event
        if isinstance(event, StatusChanged) and event.state in _GENERATING and begun is None:
            begun = tuple(reply.parts), numbered.at_ms
        elif isinstance(event, ToolFinished) and begun is not None:
            rounds.append(Round(begun[0], tuple(reply.parts), begun[1]))
            begun = None
        reply.apply(numbered)
    if begun is not None:
        rounds.append(Round(begun[0], tuple(reply.parts), begun[1]))
    return rounds or [Round((), run.reply.content)]


def first_request(run: Run, recipe: Recipe, events: Sequence[Numbered]) -> GenerationRequest:
    """What the model was asked before it had written anything; not yet trimmed to the context."""
    request = build_request(
        history_of(run),
        system_prompt=recipe.system_prompt,
        params=recipe.params,
        tools=recipe.tools,
        scope=run.conversation.scope,
    )
    request = with_pictures(request, run.conversation)
    found = first_sources(events)
    return with_passages(request, found.sources) if found else request


def first_sources(events: Sequence[Numbered]) -> SourcesFound | None:
    """The passages that stood in front of the question; later ones came from the search tool."""
    return next((each.event for each in events if isinstance(each.event, SourcesFound)), None)
