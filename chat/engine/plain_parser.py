"""Reads a reply as nothing but text: for raw prompts, and where a grammar says what the reply is."""

from __future__ import annotations

from chat.engine.pieces import Piece, TextPiece


class PlainParser:
    """The same calls as `ToolCallParser`; no markers mean anything."""

    is_thinking = False
    open_call = None

    def skip(self, text: str) -> None:
        """Nothing depends on what was delivered before."""

    def feed(self, text: str) -> list[Piece]:
        """The text as it is."""
        return [TextPiece(text)] if text else []

    def finish(self) -> list[Piece]:
        """Nothing was held back."""
        return []
