"""The exact prompt of each round of an answer, coloured by where its words come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from chat.domain.events import Numbered
from chat.domain.params import GenerationRequest
from chat.engine.pieces import Engine
from chat.engine.prompt_trace import PromptSpan
from chat.models import Run
from chat.runs.prompt import fit, going_on
from chat.runs.recipe import Recipe
from chat.runs.rounds import first_request, first_sources, rounds_of
from chat.web.charts import Share, bar_of

LABELS = {
    "system": "System prompt",
    "tools": "Tools",
    "history": "Earlier messages",
    "passages": "Passages",
    "question": "Question",
    "answer": "This answer so far",
    "template": "Marks and calls",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words of one origin."""

    origin: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class PromptRound:
    """What one generation was given. `dropped` are the first words of messages that did not fit."""

    number: int
    num_tokens: int
    stretches: tuple[Stretch, ...]
    shares: tuple[Share, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromptView:
    """All rounds, the last apart, and the count that was stored with the answer."""

    last: PromptRound
    earlier: tuple[PromptRound, ...]
    num_stored: int

    @property
    def num_tokens(self) -> int:
        """Of all rounds together, as the stored count is."""
        return sum(each.num_tokens for each in (*self.earlier, self.last))


def prompt_view(run: Run, recipe: Recipe, events: Sequence[Numbered], engine: Engine) -> PromptView:
    """Rendered anew by the engine. Raises: ChatError when the model cannot be loaded or its template fails."""
    request = first_request(run, recipe, events)
    has_passages = first_sources(events) is not None
    rounds = [
        _round(number, request, going_on(request, each.before), engine, has_passages=has_passages)
        for number, each in enumerate(rounds_of(run, events), start=1)
    ]
    usage = run.usage_report
    return PromptView(rounds[-1], tuple(rounds[:-1]), usage.prompt_tokens if usage else 0)


def _round(
    number: int, first: GenerationRequest, request: GenerationRequest, engine: Engine, *, has_passages: bool
) -> PromptRound:
    prompt = fit(request, engine)
    question = _question_of(first) - prompt.num_trimmed
    traced = [
        (_origin(span, prompt.request, question, has_passages=has_passages), span)
        for span in engine.trace_prompt(prompt.request)
    ]
    counts = {origin: sum(span.num_tokens for of, span in traced if of == origin) for origin in LABELS}
    start = 1 if request.messages[0].role == "system" else 0
    dropped = request.messages[start : start + prompt.num_trimmed]
    return PromptRound(
        number,
        sum(counts.values()),
        tuple(
            Stretch(origin, LABELS[origin], "".join(span.text for _, span in group))
            for origin, group in groupby(traced, key=lambda pair: pair[0])
        ),
        bar_of([(origin, LABELS[origin], count) for origin, count in counts.items()]),
        tuple(" ".join(message.text.split())[:80] for message in dropped),
    )


def _question_of(request: GenerationRequest) -> int:
    """The place of the last question."""
    return max((n for n, message in enumerate(request.messages) if message.role == "user"), default=0)


def _origin(span: PromptSpan, request: GenerationRequest, question: int, *, has_passages: bool) -> str:
    if span.origin == "prefix":
        return "answer"
    if span.message is None:
        return span.origin
    if request.messages[span.message].role == "system":
        return "system"
    if span.message == question:
        return "passages" if has_passages and span.part == 0 else "question"
    return "history" if span.message < question else "answer"
