"""How a block of a stream is written, and which of the four ways the client wants.

`id:` stands last in a block: clients match the beginning. JSON is ASCII, and `data:` inside of it is escaped: some
clients split lines at U+2028, the Python one deletes those letters from a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from chat.domain.errors import InvalidInput

EVENT_STREAM = "text/event-stream"  # without a charset: clients compare with ===
NDJSON = "application/x-ndjson"
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Block:
    """One thing that a stream tells. `duration_s` stands beside the data of the last `thinking`."""

    event: str
    data: Any
    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class Framing:
    """`write` makes the text of a block; its second argument is the block's number, None for one without."""

    name: str
    write: Callable[[Block, int | None], str]
    content_type: str = EVENT_STREAM
    end: str = "\n\n"
    ping: str = ":heartbeat\n"


def framing_of(request: HttpRequest, of_path: str) -> Framing:
    """What the client asks for, else the one of the path. Raises: InvalidInput for an unknown name."""
    asked = request.GET.get("format") or request.headers.get("X-Stream-Format")
    if asked is None and NDJSON in request.headers.get("Accept", ""):
        asked = "ndjson"
    if (framing := FRAMINGS.get(asked or of_path)) is None:
        raise InvalidInput(f"The stream format must be one of {', '.join(FRAMINGS)}.", field="format")
    return framing


def _flowise(block: Block, number: int | None) -> str:
    return f"message:\ndata:{_json(_value(block))}\n{_id(number)}\n"


def _named(block: Block, number: int | None) -> str:
    value = _value(block)
    if block.event == "token":
        value["token"] = block.data
    return f"event: {block.event}\ndata: {_json(value)}\n{_id(number)}\n"


def _text(block: Block, number: int | None) -> str:
    text = block.data if isinstance(block.data, str) else _json(block.data)
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(text))
    return f"event: {block.event}\n{lines}{_id(number)}\n"


def _ndjson(block: Block, _number: int | None) -> str:
    """Line n has the number n: there is no other place for it."""
    return _json(_value(block)) + "\n"


def _value(block: Block) -> dict[str, Any]:
    value = {"event": block.event, "data": block.data}
    return value if block.duration_s is None else {**value, "duration": block.duration_s}


def _id(number: int | None) -> str:
    return "" if number is None else f"id: {number}\n"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("data:", "data\\u003a")  # can only stand inside of a string


FRAMINGS = {
    framing.name: framing
    for framing in (
        Framing("flowise", _flowise),
        Framing("named", _named),
        Framing("text", _text),
        Framing("ndjson", _ndjson, NDJSON, end="\n", ping="\n"),
    )
}
