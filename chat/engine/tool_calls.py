"""Takes a model's words apart while they come: text for the reader, reasoning, tool calls.

Each family of models writes them in its own way. Knows no tokens, and of tools only what types their arguments have: a
call of a tool that does not exist is a call like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import uuid4

from chat.domain.messages import ToolCall, ToolSpec
from chat.engine.call_values import typed
from chat.engine.calls import Call
from chat.engine.channel_parser import ChannelParser, ChannelStyle
from chat.engine.families import STYLES
from chat.engine.marker_parser import Delta, MarkerParser, OpenCall
from chat.engine.pieces import CallPiece, Piece, ReasoningPiece, TextPiece


class ToolCallParser:
    """One reply of a model of `family`. `is_thinking`: its prompt ended inside a thinking block."""

    def __init__(self, family: str, is_thinking: bool = False, tools: Sequence[ToolSpec] = ()) -> None:  # noqa: FBT001, FBT002 - a state, no mode
        style = STYLES[family]
        self._parser: MarkerParser | ChannelParser
        if isinstance(style, ChannelStyle):
            self._parser = ChannelParser(style)
        else:
            self._parser = MarkerParser(style, is_thinking=is_thinking)
        self._schemas = {tool.name: tool.parameters for tool in tools}

    @property
    def is_thinking(self) -> bool:
        """True while what comes is reasoning."""
        return self._parser.is_thinking

    @property
    def open_call(self) -> OpenCall | None:
        """The call that is being written."""
        return self._parser.open_call

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
            schema = self._schemas.get(delta.name)
            arguments = typed(delta.arguments, schema, schema)
            return CallPiece(ToolCall(f"call_{uuid4().hex[:12]}", delta.name, arguments))
        return TextPiece(delta.text) if delta.kind == "text" else ReasoningPiece(delta.text)
