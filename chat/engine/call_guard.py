"""Holds a reply to its tools while it writes a call, and leaves it free everywhere else.

A call opens by a mark of the model's family, or in some families by an object that names a tool. Where the mark ends
inside of a token, the rest of the token is the beginning of the call: if it cannot be, as in "the mark `<tool_call>`
says", the model writes about calls, and stays free until the next mark. Taking the token back would force a call on it.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Sequence

from chat.domain.errors import InvalidInput
from chat.domain.messages import ToolSpec
from chat.engine.call_format import CallFormat, call_grammar
from chat.engine.call_sampler import CallSampler
from chat.engine.grammar import Grammar
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.marker_parser import OpenCall

_MAX_REMEMBERED = 32
# An object without a mark is a call once it begins to name a tool: before, it may be any answer in JSON.
_NAMES_A_TOOL = re.compile(r'\s*\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*"[^"]')


class CallGrammars:
    """The grammars for calls, each made when a call needs it first: 1 to 2 ms for a small tool."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[CallFormat, str], Grammar | None] = OrderedDict()

    def grammar(self, form: CallFormat, tools: Sequence[ToolSpec]) -> Grammar | None:
        """For calls of these tools; None when they cannot be told, or the form is free."""
        if not form.is_guarded:
            return None
        key = (form, json.dumps([[tool.name, tool.parameters] for tool in tools], default=dict))
        if key not in self._known:
            self._known[key] = call_grammar(form, tools)
            if len(self._known) > _MAX_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


class CallGuard:
    """Follows one reply, and holds its sampler to the grammar of the call that is open."""

    def __init__(self, tools: Sequence[ToolSpec], grammars: CallGrammars, sampler: CallSampler) -> None:
        self._tools = tools
        self._grammars = grammars
        self._sampler = sampler
        self._number = 0  # of the last call that was taken up

    def follow(self, call: OpenCall | None, pending: bytes) -> None:
        """Another token is written. `pending` are its last bytes, as far as they have not become part of `call` yet."""
        if call is None:
            self._sampler.release()
            return
        if call.number == self._number or not _is_certain(call):
            return
        self._number = call.number
        self._sampler.release()
        grammar = self._grammars.grammar(call.form, self._tools)
        if grammar is None:
            return
        matcher = GrammarMatcher(grammar)
        try:
            fits = matcher.accept(call.inside.encode("utf-8", "replace") + pending)
        except InvalidInput:  # too many readings: a stranger's schema may do that, and ends no reply
            return
        if fits:
            self._sampler.hold(matcher)


def _is_certain(call: OpenCall) -> bool:
    return bool(call.form.open) or _NAMES_A_TOOL.match(call.inside) is not None
