"""What templates need beyond Django's own tags: the reader's preferences, and facts in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django import template
from django.http import HttpRequest

from chat.domain.errors import Interrupted
from chat.domain.events import RunFailed, RunFinished, Terminal, UsageReported
from chat.domain.reply import ReplyBuilder
from chat.domain.sizes import size_text

register = template.Library()

# Unicode's bidirectional controls.
_DIRECTION_SIGN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

THEMES = ("system", "light", "dark")


@register.filter
def theme(request: HttpRequest | str) -> str:
    """The theme that the reader chose; rendered by the server, so that no page flashes in the wrong colours."""
    chosen = _cookies(request).get("theme", "system")
    return chosen if chosen in THEMES else "system"


@register.filter
def sidebar_state(request: HttpRequest | str) -> str:
    """Whether the reader closed the sidebar on wide screens."""
    return "closed" if _cookies(request).get("sidebar") == "closed" else "open"


@register.filter
def is_failure(end: Terminal) -> bool:
    """An error to explain; an interruption is not one, it offers to go on."""
    return isinstance(end, RunFailed) and end.code != Interrupted.code


@register.filter
def can_continue(end: Terminal) -> bool:
    """The answer broke off and may go on."""
    if isinstance(end, RunFinished):
        return end.reason in ("stopped", "length")
    return end.code == Interrupted.code


@register.filter
def end_label(end: Terminal) -> str:
    """How the answer broke off; "" for one that is whole."""
    if isinstance(end, RunFinished):
        return {"stopped": "Stopped", "length": "Cut off: length limit reached"}.get(end.reason, "")
    return "Interrupted" if end.code == Interrupted.code else ""


@register.filter
def facts(reply: ReplyBuilder) -> list[str]:
    """The footer: model, tokens, speed, time."""
    found = [reply.model] if reply.model else []
    if (usage := reply.usage) and usage.completion_tokens:
        found.append(f"{usage.completion_tokens:,} token{'' if usage.completion_tokens == 1 else 's'}")
        found.append(f"{usage.tokens_per_s:.1f} tokens/s")
        found.append(seconds(usage.queued_ms + usage.prompt_ms + usage.completion_ms))
    return found


@register.filter
def context_words(usage: UsageReported) -> str:
    """How much of what the model can look at is taken."""
    return f"{usage.context_used:,} of {usage.context_tokens:,} tokens that the model can look at."


@register.filter
def context_percent(usage: UsageReported) -> str:
    """61 %; never 0 where something is taken."""
    return f"{max(1, round(usage.context_share * 100))} %"


@register.filter
def seconds(duration_ms: int) -> str:
    """40 ms, 0.4 s, 12 s, 3 min 5 s."""
    if duration_ms < 100:
        return f"{duration_ms} ms" if duration_ms else "< 1 ms"
    if duration_ms < 9_950:
        return f"{duration_ms / 1000:.1f} s"
    total = round(duration_ms / 1000)
    return f"{total} s" if total < 60 else f"{total // 60} min {total % 60} s"


@register.filter
def size(num_bytes: int) -> str:
    """37 MB, 2.5 GB."""
    return size_text(num_bytes)


@register.filter
def thought_for(duration_ms: int) -> str:
    """The title of a folded thought."""
    if duration_ms < 500:
        return "Thought for a moment"
    total = max(1, round(duration_ms / 1000))
    return f"Thought for {total} s" if total < 60 else f"Thought for {total // 60} min {total % 60} s"


@register.filter
def pretty(arguments: Mapping[str, Any]) -> str:
    """A tool's input for reading, also before it is allowed: signs that would turn its order round are spelled out."""
    text = json.dumps(arguments, ensure_ascii=False, indent=2)
    return _DIRECTION_SIGN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _cookies(request: HttpRequest | str) -> Mapping[str, str]:
    """Error pages are rendered without a request."""
    return request.COOKIES if isinstance(request, HttpRequest) else {}
