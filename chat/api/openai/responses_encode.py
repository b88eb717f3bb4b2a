"""The events of a run as a response of the Responses API: typed events, or one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chat.api.openai.answering import sse
from chat.api.openai.errors import error_in_stream
from chat.api.openai.fold import ClientTools, Outcome, arguments_text, token_logprob
from chat.domain.errors import ChatError
from chat.domain.events import Event, Numbered, ReasoningDelta, TextDelta, TokenLogprob, ToolStarted

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResponseStyle:
    """What the client asked for beside the words; `echo` are its own settings, told back to it."""

    id: str
    created: int
    tools: ClientTools
    echo: Mapping[str, Any]


class ResponseEncoder:
    """An `AnswerEncoder`. A response is a list of items: thoughts, a message, calls; one is open at a time."""

    def __init__(self, style: ResponseStyle) -> None:
        self._style = style
        self._outcome = Outcome(style.tools, style.id)
        self._output: list[JsonObject] = []
        self._open: _OpenItem | None = None
        self._sequence = 0

    def feed(self, number: int, batch: list[Numbered]) -> str:
        """The events of a batch."""
        told = [] if self._sequence else [self._whole_event("created"), self._whole_event("in_progress")]
        told += [self._sse(kind, data) for numbered in batch for kind, data in self._told(numbered.event)]
        return "".join(told)

    def gather(self, number: int, batch: list[Numbered]) -> None:
        """Take in a batch for the whole answer."""
        for numbered in batch:
            list(self._told(numbered.event))

    def end(self) -> str:
        """What closes the last item, and the whole response."""
        told = [self._sse(kind, data) for kind, data in self._close()]
        return "".join([*told, self._whole_event("incomplete" if self._is_cut else "completed")])

    def failure(self, error: ChatError) -> str:
        """The response so far, as failed."""
        response = self._response("failed")
        message = error_in_stream(error)["error"]["message"]
        response["error"] = {"code": "server_error", "message": message}
        return self._sse("response.failed", {"response": response})

    def whole(self) -> Mapping[str, Any]:
        """The response."""
        list(self._close())
        return self._response("incomplete" if self._is_cut else "completed")

    @property
    def _is_cut(self) -> bool:
        return self._outcome.finish_reason == "length"

    def _told(self, event: Event) -> Iterator[tuple[str, JsonObject]]:
        for told in self._outcome.take(event):
            match told:
                case TextDelta():
                    yield from self._go_on(_MESSAGE, told.text, told.logprobs)
                case ReasoningDelta():
                    yield from self._go_on(_REASONING, told.text, ())
                case ToolStarted():
                    yield from self._close()
                    yield from self._call(told)

    def _go_on(
        self, kind: _ItemKind, text: str, logprobs: tuple[TokenLogprob, ...]
    ) -> Iterator[tuple[str, JsonObject]]:
        """More of the open item of this kind, which is opened if need be."""
        if self._open is None or self._open.kind is not kind:
            yield from self._close()
            self._open = _OpenItem(kind, f"{kind.prefix}{self._unique}", len(self._output))
            yield "response.output_item.added", self._open.placed(item=self._open.item("in_progress"))
            yield "response.content_part.added", self._open.in_part(part=kind.part("", []))
        self._open = self._open.with_more(text, [token_logprob(token) for token in logprobs])
        more: JsonObject = {"delta": text}
        if kind is _MESSAGE:
            more["logprobs"] = [token_logprob(token) for token in logprobs]
        yield f"{kind.event}.delta", self._open.in_part(**more)

    def _close(self) -> Iterator[tuple[str, JsonObject]]:
        item, self._open = self._open, None
        if item is None:
            return
        done: JsonObject = {"text": item.text}
        if item.kind is _MESSAGE:
            done["logprobs"] = item.logprobs
        yield f"{item.kind.event}.done", item.in_part(**done)
        yield "response.content_part.done", item.in_part(part=item.kind.part(item.text, item.logprobs))
        whole = item.item("incomplete" if self._is_cut else "completed")
        self._output.append(whole)
        yield "response.output_item.done", item.placed(item=whole)

    def _call(self, event: ToolStarted) -> Iterator[tuple[str, JsonObject]]:
        item = {
            "id": f"fc_{self._unique}",
            "type": "function_call",
            "status": "completed",
            "call_id": event.call_id,
            "name": event.name,
            "arguments": arguments_text(event),
        }
        index = len(self._output)
        place = {"item_id": item["id"], "output_index": index}
        begun = {**item, "status": "in_progress", "arguments": ""}
        yield "response.output_item.added", {"output_index": index, "item": begun}
        yield "response.function_call_arguments.delta", {**place, "delta": item["arguments"]}
        yield (
            "response.function_call_arguments.done",
            {**place, "name": event.name, "arguments": item["arguments"]},
        )
        self._output.append(item)
        yield "response.output_item.done", {"output_index": index, "item": item}

    @property
    def _unique(self) -> str:
        """For the id of the next item: the response's own id and the item's place in it."""
        return f"{self._style.id.removeprefix('resp_')}{len(self._output):02}"

    def _whole_event(self, state: str) -> str:
        status = "in_progress" if state == "created" else state
        return self._sse(f"response.{state}", {"response": self._response(status)})

    def _sse(self, kind: str, data: JsonObject) -> str:
        number, self._sequence = self._sequence, self._sequence + 1
        return sse({"type": kind, "sequence_number": number, **data}, event=kind)

    def _response(self, status: str) -> JsonObject:
        is_over = status in ("completed", "incomplete")
        return {
            "id": self._style.id,
            "object": "response",
            "created_at": self._style.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            **self._style.echo,
            "output": list(self._output),
            "usage": self._usage() if is_over else None,
        }

    def _usage(self) -> JsonObject:
        usage = self._outcome.usage
        return {
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }


@dataclass(frozen=True, slots=True)
class _ItemKind:
    """How items with words differ."""

    prefix: str
    event: str

    def part(self, text: str, logprobs: Sequence[JsonObject]) -> JsonObject:
        """The one part that the item's words stand in."""
        if self is _REASONING:
            return {"type": "reasoning_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}


_MESSAGE = _ItemKind("msg_", "response.output_text")
_REASONING = _ItemKind("rs_", "response.reasoning_text")


@dataclass(frozen=True, slots=True)
class _OpenItem:
    """Words that are still being written."""

    kind: _ItemKind
    id: str
    index: int
    text: str = ""
    logprobs: tuple[JsonObject, ...] = ()

    def with_more(self, text: str, logprobs: list[JsonObject]) -> _OpenItem:
        return replace(self, text=self.text + text, logprobs=(*self.logprobs, *logprobs))

    def item(self, status: str) -> JsonObject:
        content = [] if status == "in_progress" else [self.kind.part(self.text, self.logprobs)]
        if self.kind is _REASONING:
            return {"id": self.id, "type": "reasoning", "status": status, "summary": [], "content": content}
        return {
            "id": self.id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def placed(self, **data: Any) -> JsonObject:
        return {"output_index": self.index, **data}

    def in_part(self, **data: Any) -> JsonObject:
        return {"item_id": self.id, "output_index": self.index, "content_index": 0, **data}
