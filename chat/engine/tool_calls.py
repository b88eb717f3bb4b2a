"""Takes a model's words apart while they come: text for the reader, reasoning, tool calls.

Each family of models writes them in its own way; which family a model belongs to shows in its chat template.
Knows neither tokens nor tools: a call of a tool that does not exist is a call like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

from chat.domain.messages import ToolCall
from chat.engine.call_bodies import Call, read_deepseek, read_llama, read_mistral, read_tagged
from chat.engine.channel_parser import ChannelParser
from chat.engine.marker_parser import CallFormat, Delta, MarkerParser, MarkerStyle
from chat.engine.pieces import CallPiece, Piece, ReasoningPiece, TextPiece

# Understood everywhere: models whose template knows no tools are asked in words to write calls like this.
_TAGGED = CallFormat("<tool_call>", "</tool_call>", read_tagged)

CHANNEL_FAMILY = "gpt-oss"
STYLES = {
    "hermes": MarkerStyle((_TAGGED,)),
    "llama3": MarkerStyle((CallFormat("<|python_tag|>", "", read_llama), _TAGGED), has_bare_calls=True),
    "mistral": MarkerStyle((CallFormat("[TOOL_CALLS]", "", read_mistral), _TAGGED)),
    "magistral": MarkerStyle(
        (CallFormat("[TOOL_CALLS]", "", read_mistral), _TAGGED), think=("[THINK]", "[/THINK]")
    ),
    "deepseek": MarkerStyle(
        (CallFormat("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", read_deepseek), _TAGGED),
        ignored=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
    ),
}
FAMILIES = (*STYLES, CHANNEL_FAMILY)

# What in a template gives its family away; the first that is found counts.
_SIGNS = (
    ("<|channel|>", CHANNEL_FAMILY),
    ("[THINK]", "magistral"),
    ("[TOOL_CALLS]", "mistral"),
    ("<｜tool▁call", "deepseek"),
    ("<tool_call>", "hermes"),
    ("<|python_tag|>", "llama3"),
    ("<|start_header_id|>", "llama3"),
)


def family_of(template_source: str) -> str:
    """The family whose way of writing a chat template shows; "hermes" where nothing shows."""
    return next((family for sign, family in _SIGNS if sign in template_source), "hermes")


class ToolCallParser:
    """One reply of a model of `family`. `is_thinking`: its prompt ended inside a thinking block."""

    def __init__(self, family: str, is_thinking: bool = False) -> None:  # noqa: FBT001, FBT002 - a state, no mode
        self._parser: MarkerParser | ChannelParser
        if family == CHANNEL_FAMILY:
            self._parser = ChannelParser()
        else:
            self._parser = MarkerParser(STYLES[family], is_thinking=is_thinking)

    @property
    def is_thinking(self) -> bool:
        """True while what comes is reasoning."""
        return self._parser.is_thinking

    def skip(self, text: str) -> None:
        """Go past the beginning of a reply that was delivered before, and read on from there."""
        self._parser.skip(text)

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain now; neighbours of one kind are merged."""
        return self._pieces(self._parser.feed(text))

    def finish(self) -> list[Piece]:
        """What was held back, at the end of the reply: an unfinished call is text."""
        return self._pieces(self._parser.finish())

    def _pieces(self, deltas: Iterable[Delta]) -> list[Piece]:
        pieces: list[Piece] = []
        for delta in deltas:
            piece = self._piece(delta)
            last = pieces[-1] if pieces else None
            if isinstance(piece, TextPiece) and isinstance(last, TextPiece):
                pieces[-1] = TextPiece(last.text + piece.text)
            else:
                pieces.append(piece)
        return pieces

    def _piece(self, delta: Delta) -> Piece:
        if isinstance(delta, Call):
            # One run holds several generations: a count would give the calls of two of them the same id.
            return CallPiece(ToolCall(f"call_{uuid4().hex[:12]}", delta.name, delta.arguments))
        return TextPiece(delta.text) if delta.kind == "text" else ReasoningPiece(delta.text)
