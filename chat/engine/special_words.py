"""Keeps people's words words: text that spells a control token must not become one.

A message with "<|im_end|>" in it could otherwise end its own turn and speak as the system, and so could a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chat.domain.messages import ChatMessage, ImagePart, Part, TextPart, ToolResult, ToolSpec

# Invisible, and enough to make another token sequence of it.
_JOINER = "\u2060"


class SpecialWords:
    """The spellings of a model's control tokens."""

    def __init__(self, spellings: Iterable[str]) -> None:
        # The longest first: a shorter one may begin a longer one.
        words = sorted((word for word in spellings if len(word) > 1), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, words))) if words else None

    def defuse(self, messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        """The same messages, with the spellings taken apart wherever others than the model wrote them."""
        if self._pattern is None:
            return messages
        return tuple(
            message if message.role == "assistant" else self._defuse(message) for message in messages
        )

    def defuse_tools(self, tools: Sequence[ToolSpec]) -> tuple[ToolSpec, ...]:
        """The same tools, with the spellings taken apart in their descriptions, which a stranger may have written."""
        if self._pattern is None:
            return tuple(tools)
        return tuple(
            replace(
                tool, description=self._split(tool.description), parameters=self._split_all(tool.parameters)
            )
            for tool in tools
        )

    def _split_all(self, value: Any) -> Any:
        """In every text of a JSON value; the names of its fields stay, because calls must use them."""
        if isinstance(value, str):
            return self._split(value)
        if isinstance(value, Mapping):
            return {name: self._split_all(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._split_all(inner) for inner in value]
        return value

    def _defuse(self, message: ChatMessage) -> ChatMessage:
        return replace(message, parts=tuple(self._defuse_part(part) for part in message.parts))

    def _defuse_part(self, part: Part) -> Part:
        match part:
            case TextPart():
                return replace(part, text=self._split(part.text))
            case ToolResult():
                return replace(part, content=self._split(part.content))
            case ImagePart():
                return replace(part, name=self._split(part.name))
        return part

    def _split(self, text: str) -> str:
        assert self._pattern is not None, "without spellings nothing is split"
        return self._pattern.sub(lambda found: found[0][0] + _JOINER + found[0][1:], text)
