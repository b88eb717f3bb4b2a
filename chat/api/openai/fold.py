"""What encoders share: which events are the client's business, and the counts and logarithms as OpenAI writes them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from chat.api.openai.formats import CALL_END, CALL_START
from chat.api.openai.tools import Offer
from chat.domain.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    HistoryTrimmed,
    ReasoningDelta,
    RunFailed,
    RunFinished,
    RunStarted,
    SourcesFound,
    StatusChanged,
    TextDelta,
    TokenLogprob,
    ToolFinished,
    ToolStarted,
    UsageReported,
)
from chat.http.body import Fields

# JSON has no infinity; OpenAI writes this number for what is as good as impossible.
LOWEST_LOGPROB = -9999.0


@dataclass(frozen=True, slots=True)
class ClientTools:
    """The functions that the client runs itself; the server's own tools are not told.

    With `is_written` a grammar has the model write its calls as text: see `formats`.
    """

    names: frozenset[str] = frozenset()
    is_parallel: bool = True
    is_written: bool = False


def client_tools(fields: Fields, offer: Offer, grammar: str) -> ClientTools:
    """From the request, with the grammar of its reply."""
    is_parallel = fields.boolean("parallel_tool_calls", default=True)
    return ClientTools(offer.names, is_parallel, is_written=bool(grammar and offer.names))


class Outcome:
    """What one run has come to so far, as far as it is the client's business. `id` names it for the ids of calls."""

    def __init__(self, tools: ClientTools, id: str) -> None:  # noqa: A002 - as in the API
        self._tools = tools
        self._id = id
        self._written_call: list[str] = []
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.logprobs: list[TokenLogprob] = []
        self.calls: list[ToolStarted] = []
        self.usage = UsageReported(0, 0, 0, 0, 0, 0)
        self.finish_reason: str | None = None

    @property
    def text(self) -> str:
        """The words."""
        return "".join(self.texts)

    def take(self, event: Event) -> list[Event]:
        """Take in the next event; gives what is to be told."""
        match event:
            case TextDelta():
                return self._write(event)
            case ReasoningDelta():
                self.thoughts.append(event.text)
            case ToolStarted():
                if event.name not in self._tools.names or (self.calls and not self._tools.is_parallel):
                    return []
                self.calls.append(event)
            case RunFinished():
                return self._finish(event)
            case UsageReported():
                self.usage = event
            case (
                RunStarted()
                | StatusChanged()
                | SourcesFound()
                | HistoryTrimmed()
                | ToolFinished()
                | ApprovalAsked()
                | ApprovalAnswered()
                | RunFailed()
            ):
                return []
            case _:
                assert_never(event)
        return [event]

    def _write(self, event: TextDelta) -> list[Event]:
        is_call = self._tools.is_written and not self.texts and (self._written_call or event.text[:1] == "<")
        if is_call:
            self._written_call.append(event.text)
            return []
        self.texts.append(event.text)
        self.logprobs += event.logprobs
        return [event]

    def _finish(self, event: RunFinished) -> list[Event]:
        told: list[Event] = []
        reason = "stop" if event.reason == "stopped" else event.reason
        if self._written_call:
            text = "".join(self._written_call)
            if call := read_call(text, self._id):
                reason = "tool_calls"
                self.calls.append(call)
                told.append(call)
            else:  # cut off in the middle
                self.texts.append(text)
                told.append(TextDelta(text))
        self.finish_reason = reason
        return [*told, RunFinished(reason)]


def read_call(text: str, answer_id: str) -> ToolStarted | None:
    """The call that a grammar had the model write; None when it is not whole."""
    if not text.endswith(CALL_END):
        return None
    call = json.loads(text.removeprefix(CALL_START).removesuffix(CALL_END))
    digest = hashlib.sha256(answer_id.encode()).hexdigest()
    return ToolStarted(f"call_{digest[:12]}", call["name"], call["arguments"])


def arguments_text(event: ToolStarted) -> str:
    """The call's arguments as the JSON text that clients parse."""
    return json.dumps(dict(event.arguments), ensure_ascii=False)


def call_of(event: ToolStarted) -> dict[str, Any]:
    """A call as chat completions write it."""
    function = {"name": event.name, "arguments": arguments_text(event)}
    return {"id": event.call_id, "type": "function", "function": function}


def total_usage(outcomes: Sequence[Outcome], num_same: int) -> dict[str, Any]:
    """Over all runs; each `num_same` of them had one prompt between them, which is counted once."""
    prompts = [outcome.usage for outcome in outcomes[::num_same]]
    num_prompt = sum(usage.prompt_tokens for usage in prompts)
    num_written = sum(outcome.usage.completion_tokens for outcome in outcomes)
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_written,
        "total_tokens": num_prompt + num_written,
        "prompt_tokens_details": {"cached_tokens": sum(usage.cached_tokens for usage in prompts)},
    }


def chat_logprobs(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    """As chat completions write them."""
    return {"content": [token_logprob(token) for token in tokens], "refusal": None}


def token_logprob(token: TokenLogprob) -> dict[str, Any]:
    """One token with its alternatives."""
    top = [_entry(text, logprob, list(text.encode())) for text, logprob in token.top]
    return {**_entry(token.token, token.logprob, list(token.token_bytes)), "top_logprobs": top}


def finite(logprob: float) -> float:
    """The number, or the lowest that is written."""
    return max(logprob, LOWEST_LOGPROB) if math.isfinite(logprob) else LOWEST_LOGPROB


def _entry(token: str, logprob: float, token_bytes: list[int]) -> dict[str, Any]:
    return {"token": token, "logprob": finite(logprob), "bytes": token_bytes}
