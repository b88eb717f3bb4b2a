"""Writing an ended answer again, with the same request and seed, and comparing the two.

No tool is called again: each round of the answer is written again by itself, from what the first one had then.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chat.domain.errors import InvalidInput
from chat.domain.messages import Part, ReasoningPart, TextPart, ToolCall
from chat.domain.params import GenerationRequest
from chat.engine.call_writer import tagged_calls
from chat.models import Run, RunStatus
from chat.runs.recipe import Recipe
from chat.runs.rounds import Round, events_of, first_request, rounds_of
from chat.runs.task import Task

_WORDS = re.compile(r"\s+|[^\s]+")
_BROKEN_OFF = (RunStatus.STOPPED, RunStatus.INTERRUPTED, RunStatus.ERROR)

Change = Literal["same", "first", "again"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One round to be written again: what is asked, and what the first answer said then."""

    task: Task
    first: str
    is_broken_off: bool = False

    def words_of(self, parts: Sequence[Part]) -> str:
        """What is new in the reply that came of it."""
        return said(parts).removeprefix(said(self.task.written))


@dataclass(frozen=True, slots=True)
class Difference:
    """A stretch of words that both have, or only one of them."""

    kind: Change
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences` is empty when the texts are the same. Counts are of the tokens written."""

    is_same: bool
    differences: tuple[Difference, ...]
    num_tokens_first: int
    num_tokens_again: int


def attempts_of(run: Run) -> list[Attempt]:
    """Raises: InvalidInput for a run of which too little is known."""
    recipe = Recipe.from_dict(run.recipe)
    if recipe is None:
        raise InvalidInput("This answer cannot be written again: what it was made with was not written down.")
    events = events_of(run)
    rounds = rounds_of(run, events)
    request = replace(first_request(run, recipe, events), is_alone=True)
    attempts = [_attempt(run, request, each) for each in rounds]
    if run.status in _BROKEN_OFF:
        attempts[-1] = _as_far_as(run, attempts[-1])
    return attempts


def compare(attempts: Sequence[Attempt], texts: Sequence[str], num_first: int, num_again: int) -> Comparison:
    """`texts` is what came of the attempts. Of an answer that was broken off, only what there is is compared."""
    pairs = [
        (attempt.first, text[: len(attempt.first)] if attempt.is_broken_off else text)
        for attempt, text in zip(attempts, texts, strict=True)
    ]
    first, again = ("\n\n".join(side) for side in zip(*pairs, strict=True))
    is_same = first == again
    return Comparison(is_same, () if is_same else _differences(first, again), num_first, num_again)


def said(parts: Sequence[Part]) -> str:
    """What the model itself wrote: thoughts, words and calls."""
    return "\n\n".join(filter(None, map(_written, parts)))


def _attempt(run: Run, request: GenerationRequest, each: Round) -> Attempt:
    names = {tool.name for tool in request.tools} | {
        part.name for part in each.after if isinstance(part, ToolCall)
    }
    task = Task(request, run.model, written=each.before, client_tools=frozenset(names))
    return Attempt(task, said(each.after).removeprefix(said(each.before)))


def _as_far_as(run: Run, last: Attempt) -> Attempt:
    """No more tokens than the first answer had when it was broken off."""
    usage, request = run.usage_report, last.task.request
    if usage and usage.completion_tokens:
        request = replace(request, params=replace(request.params, max_tokens=usage.completion_tokens))
    return replace(last, task=replace(last.task, request=request), is_broken_off=True)


def _written(part: Part) -> str:
    match part:
        case TextPart() | ReasoningPart():
            return part.text
        case ToolCall():
            return tagged_calls([part])
        case _:
            return ""


def _differences(first: str, again: str) -> tuple[Difference, ...]:
    left, right = _WORDS.findall(first), _WORDS.findall(again)
    found: list[Difference] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(Difference("same", "".join(left[a:b])))
            continue
        found += [Difference("first", "".join(left[a:b]))] if a < b else []
        found += [Difference("again", "".join(right[c:d]))] if c < d else []
    return tuple(found)
