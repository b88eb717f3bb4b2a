"""What the page shows of one part of a reply, and with which template."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chat.domain.calls import FollowedCall
from chat.domain.messages import Part, ReasoningPart, TextPart
from chat.web.prose import Prose, StoredProse


@dataclass(slots=True)
class TextView:
    """A stretch of the answer."""

    index: int
    prose: Prose | StoredProse
    template: ClassVar[str] = "chat/_text.html"
    is_foldable: ClassVar[bool] = False


@dataclass(slots=True)
class ReasoningView:
    """What the model thought; `duration_ms` counts once the thinking is over."""

    index: int
    prose: Prose | StoredProse
    duration_ms: int = 0
    template: ClassVar[str] = "chat/_reasoning.html"
    is_foldable: ClassVar[bool] = True


@dataclass(slots=True)
class ToolView(FollowedCall):
    """A tool call with its result."""

    template: ClassVar[str] = "chat/_tool_call.html"


PartView = TextView | ReasoningView | ToolView


def stored_views(parts: Iterable[Part]) -> list[PartView]:
    """Views of a reply that has ended, in order."""
    parts = list(parts)
    views: list[PartView] = [*ToolView.of_parts(parts)]
    for index, part in enumerate(parts):
        if isinstance(part, TextPart):
            views.append(TextView(index, StoredProse(part.text)))
        elif isinstance(part, ReasoningPart):
            views.append(ReasoningView(index, StoredProse(part.text), part.duration_ms))
    return sorted(views, key=lambda view: view.index)
