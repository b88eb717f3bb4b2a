"""What happens in a run, as a closed union: the log stores these, every encoder matches on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RunState = Literal[
    "queued",
    "waiting",
    "loading",
    "indexing",
    "searching",
    "reading",
    "looking",
    "thinking",
    "writing",
    "calling",
    "asking",
    "restarting",
]
FinishReason = Literal["stop", "length", "stopped", "tool_calls"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A worker took the run; `model` is the name that will answer."""

    model: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """What the run is doing now. `progress` runs from 0 to 1 while reading.

    While queued, `position` counts from 1, and `estimated_s` are the seconds that the wait may take.
    """

    state: RunState
    position: int | None = None
    progress: float | None = None
    estimated_s: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A passage given to the model under the number `[n]`.

    `start` and `end` are where it stands in the document's text, in characters. The ranks count from 1 and are None
    where that search did not find the passage; `score` is what they come to together (reciprocal rank fusion).
    """

    n: int
    title: str
    excerpt: str
    document_id: str = ""
    page: int | None = None
    start: int = 0
    end: int = 0
    lexical_rank: int | None = None
    vector_rank: int | None = None
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """All passages that this answer may draw on so far; none when the documents say nothing of it.

    `is_lexical` means that only words were compared, for want of an embedding model.
    """

    sources: tuple[Source, ...]
    is_lexical: bool = False


@dataclass(frozen=True, slots=True)
class HistoryTrimmed:
    """The oldest `num_messages` of the conversation no longer fit into the context and were left out."""

    num_messages: int


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model thinks."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of the answer: its text and bytes, the natural logarithm of its probability (before sampling), and
    the likeliest tokens in its place with theirs, likeliest first.
    """

    token: str
    logprob: float
    token_bytes: tuple[int, ...] = ()
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer, in Markdown. `logprobs` are those of its tokens, where they were asked for."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """The model called a tool."""

    call_id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """The tool answered or failed."""

    call_id: str
    name: str
    content: str
    is_error: bool
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """A call that was started waits for a person's word."""

    call_id: str


@dataclass(frozen=True, slots=True)
class ApprovalAnswered:
    """The word came, or nobody gave it in time: then it is no."""

    call_id: str
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class UsageReported:
    """Totals over all generations of the run. `cached_tokens` are prompt tokens that were not computed again.

    `context_used` of the model's `context_tokens` are taken at the end; 0 where nobody counted.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queued_ms: int
    prompt_ms: int
    completion_ms: int
    context_used: int = 0
    context_tokens: int = 0

    @property
    def context_share(self) -> float:
        """How full the context is, from 0 to 1."""
        return min(1.0, self.context_used / self.context_tokens) if self.context_tokens else 0.0

    @property
    def tokens_per_s(self) -> float:
        """Speed of writing; 0 when nothing was written."""
        return self.completion_tokens * 1000 / self.completion_ms if self.completion_ms else 0.0


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The end of a run that did not fail; "tool_calls" leaves the calls to the client that offered those tools."""

    reason: FinishReason


@dataclass(frozen=True, slots=True)
class RunFailed:
    """The end of a run by an error; `code` is one of `chat.domain.errors`, "interrupted" for a server that stopped."""

    code: str
    message: str
    hint: str = ""


Event = (
    RunStarted
    | StatusChanged
    | SourcesFound
    | HistoryTrimmed
    | ReasoningDelta
    | TextDelta
    | ToolStarted
    | ToolFinished
    | ApprovalAsked
    | ApprovalAnswered
    | UsageReported
    | RunFinished
    | RunFailed
)
Terminal = RunFinished | RunFailed

_KINDS: dict[str, type[Event]] = {
    "run_started": RunStarted,
    "status_changed": StatusChanged,
    "sources_found": SourcesFound,
    "history_trimmed": HistoryTrimmed,
    "reasoning_delta": ReasoningDelta,
    "text_delta": TextDelta,
    "tool_started": ToolStarted,
    "tool_finished": ToolFinished,
    "approval_asked": ApprovalAsked,
    "approval_answered": ApprovalAnswered,
    "usage_reported": UsageReported,
    "run_finished": RunFinished,
    "run_failed": RunFailed,
}
_KIND_OF = {cls: kind for kind, cls in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event with its place in its run: `seq` counts 1, 2, 3 without gaps; `at_ms` since the run was created."""

    seq: int
    event: Event
    at_ms: int


def is_terminal(event: Event) -> bool:
    """True for the one event that ends a run."""
    return isinstance(event, (RunFinished, RunFailed))


def kind_of(event: Event) -> str:
    """The stored name of the event's type."""
    return _KIND_OF[type(event)]


def event_to_dict(event: Event) -> dict[str, Any]:
    """The event's fields, JSON-ready; together with `kind_of` it can be read back."""
    data = dataclasses.asdict(event)
    if isinstance(event, TextDelta) and not event.logprobs:
        del data["logprobs"]
    return data


def event_from_dict(kind: str, data: Mapping[str, Any]) -> Event:
    """Raises: KeyError for an unknown kind, TypeError for missing or unknown fields."""
    if kind == "sources_found":
        sources = tuple(Source(**source) for source in data["sources"])
        return SourcesFound(sources, data.get("is_lexical", False))
    if kind == "text_delta":
        return TextDelta(data["text"], tuple(map(_logprob_from_dict, data.get("logprobs", ()))))
    return _KINDS[kind](**data)


def _logprob_from_dict(data: Mapping[str, Any]) -> TokenLogprob:
    top = tuple((token, logprob) for token, logprob in data["top"])
    return TokenLogprob(data["token"], data["logprob"], tuple(data["token_bytes"]), top)
