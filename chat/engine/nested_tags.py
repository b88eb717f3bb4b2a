"""Calls as tags within tags: `<invoke name="look"><place><city>Rome</city></place></invoke>`, as MiniMax M3 writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from chat.domain.errors import InvalidInput
from chat.engine.call_format import CallRules
from chat.engine.calls import Call, Calls, Untyped, make_call
from chat.engine.json_notation import JSON, Notation

MAX_DEPTH = 32

_TAG = re.compile(r'<(/?)(invoke name="[^"<>]*"|[^<>]+)>')


@dataclass(frozen=True, slots=True)
class NestedTags:
    """`mark` stands before each tag. Items of a list are called `item`. There is no grammar for it."""

    mark: str

    notation: Notation = JSON
    marks: tuple[str, ...] = ()

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        before, *parts = body.split(self.mark)
        calls: list[Call] = []
        open_tags: list[tuple[str, list[tuple[str, Any]], str]] = []
        for part in parts:
            tag = _TAG.match(part)
            if tag is None or len(open_tags) > MAX_DEPTH:
                return None
            is_end, name, text = bool(tag[1]), tag[2], part[tag.end() :]
            if not is_end:
                open_tags.append((name, [], text))
                continue
            if not open_tags or open_tags[-1][0].partition(" ")[0] != name:
                return None
            opened, members, text = open_tags.pop()
            if open_tags:
                open_tags[-1][1].append((name, _value(members, text)))
                continue
            call = make_call(opened.partition('name="')[2].removesuffix('"'), dict(members))
            if call is None:
                return None
            calls.append(call)
        return Calls(tuple(calls), before.strip()) if calls and not open_tags else None

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`."""
        return False

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        raise InvalidInput("Nested tags have no grammar.")


def _value(members: list[tuple[str, Any]], text: str) -> Any:
    if not members:
        return Untyped(text)
    if all(name == "item" for name, _ in members):
        return [value for _, value in members]
    return dict(members)
