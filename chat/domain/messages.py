"""What people and models say to each other: messages made of typed parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words for the reader, in Markdown when the assistant wrote them."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture beside the words. `data` is the PNG or JPEG file; it is not stored with the message but by its `id`."""

    name: str
    width: int
    height: int
    id: str = ""
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """What the model thought before it answered."""

    text: str
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool. `id` is ours and unique within a run."""

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the tool answered to the call with the same id."""

    call_id: str
    name: str
    content: str
    is_error: bool = False
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


Part = TextPart | ImagePart | ReasoningPart | ToolCall | ToolResult

_KINDS: dict[str, type[Part]] = {
    "text": TextPart,
    "image": ImagePart,
    "reasoning": ReasoningPart,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
}
_KIND_OF = {cls: kind for kind, cls in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> ChatMessage:
        """A message of one text part."""
        return cls(role, (TextPart(text),))

    @property
    def text(self) -> str:
        """All text parts, joined."""
        return text_of(self.parts)

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """All pictures, in order."""
        return images_of(self.parts)


def text_of(parts: Iterable[Part]) -> str:
    """The words for the reader, without reasoning and tools."""
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def images_of(parts: Iterable[Part]) -> tuple[ImagePart, ...]:
    """The pictures among them, in order."""
    return tuple(part for part in parts if isinstance(part, ImagePart))


def part_to_dict(part: Part) -> dict[str, Any]:
    """A JSON-ready form; `part_from_dict` reads it back."""
    fields = {name: getattr(part, name) for name in part.__dataclass_fields__ if name != "data"}
    return {"kind": _KIND_OF[type(part)], **fields}


def part_from_dict(data: Mapping[str, Any]) -> Part:
    """Raises: KeyError for an unknown kind, TypeError for missing or unknown fields."""
    fields = dict(data)
    return _KINDS[fields.pop("kind")](**fields)
