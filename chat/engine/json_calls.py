"""Calls that are JSON: objects that name a tool and its arguments, or a name with the arguments behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chat.domain.messages import ToolSpec
from chat.engine.call_format import CallRules
from chat.engine.calls import MAX_NAME_CHARS, Call, Calls, json_start, make_call
from chat.engine.grammar_rules import quoted
from chat.engine.json_notation import JSON, Notation
from chat.engine.json_scan import JsonScan

_MAX_HEAD_CHARS = 2 * MAX_NAME_CHARS  # looking no further keeps a flood of marks cheap
_SEPARATORS = " \t\r\n;"


@dataclass(frozen=True, slots=True)
class JsonCalls:
    """Objects such as `{"name": "look", "arguments": {...}}`, one or several, alone or in a list.

    The rest says how they are written; all ways are read. `before` and `behind` are GBNF for other members of the
    object, `between` for what stands between two objects outside of a list. `taken` is what the mark in front took.
    """

    name: str = "name"
    arguments: str = "arguments"
    is_list: bool = False
    before: str = ""
    behind: str = ""
    between: str = ""
    taken: str = ""

    notation: Notation = JSON
    marks: tuple[str, ...] = ()

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        calls: list[Call] = []
        rest = self.taken + body
        while (text := rest.lstrip(_SEPARATORS)).startswith(("{", "[")):
            decoded = json_start(text)
            items = decoded and (decoded[0] if isinstance(decoded[0], list) else [decoded[0]])
            found = [self.call(item) for item in items or ()]
            if not decoded or not found or None in found:
                break
            calls += [call for call in found if call is not None]
            rest = decoded[1]
        return Calls(tuple(calls), rest.lstrip(_SEPARATORS)) if calls else None

    def call(self, value: Any) -> Call | None:
        """The call that an object means."""
        return as_call(value)

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`."""
        text = self.taken + body
        return text.lstrip().startswith(("{", "[")) and JsonScan().is_in_string(text)

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        call = rules.each_tool(lambda tool: self.object(tool, rules))
        if self.is_list:
            opening = "" if self.taken == "[" else '"["'
            return (
                f'{rules.space} {opening} {rules.space} {call} ("," {rules.space} {call})* {rules.space} "]"'
            )
        more = f"({self.between} {call})*" if self.between else ""
        return f"{rules.space} {call} {more} {rules.space}"

    def object(self, tool: ToolSpec, rules: CallRules) -> str:
        """One call of `tool`."""
        name = f'{_member(self.name)} {_text(tool.name)} "," gap'
        arguments = f"{_member(self.arguments)} {rules.arguments(tool)}"
        return f'"{{" gap {self.before} {name} {arguments} {self.behind} gap "}}"'


@dataclass(frozen=True, slots=True)
class BareCall(JsonCalls):
    """An object that is the whole reply. It must have arguments: people ask for JSON with names in it, too."""

    def call(self, value: Any) -> Call | None:
        """See `JsonCalls.call`."""
        has_arguments = isinstance(value, dict) and not {"arguments", "parameters"}.isdisjoint(value)
        return as_call(value) if has_arguments else None


@dataclass(frozen=True, slots=True)
class KeyedCalls(JsonCalls):
    """Objects with the name as their only key: `{"look": {...}}`."""

    def call(self, value: Any) -> Call | None:
        """See `JsonCalls.call`."""
        if not isinstance(value, dict) or len(value) != 1:
            return None
        return make_call(*next(iter(value.items())))

    def object(self, tool: ToolSpec, rules: CallRules) -> str:
        """See `JsonCalls.object`."""
        return f'"{{" gap {_text(tool.name)} ":" gap {rules.arguments(tool)} gap "}}"'


@dataclass(frozen=True, slots=True)
class NamedCall:
    """A name, `mark`, and the arguments as JSON: `look[ARGS]{...}`.

    `before` ends what may stand in front of the name, `prefix` begins the name and is no part of it, `id_mark` begins
    what may stand behind it, and `fence` ends the arguments. `id_before` and `id_behind` are GBNF for ids.
    """

    mark: str
    before: str = ""
    prefix: str = ""
    id_mark: str = ""
    fence: str = ""
    id_before: str = ""
    id_behind: str = ""

    notation: Notation = JSON

    @property
    def marks(self) -> tuple[str, ...]:
        """See `CallSyntax.marks`."""
        return (self.mark, self.before, self.id_mark)

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        if self.mark not in body[:_MAX_HEAD_CHARS]:
            return None
        head, _, written = body.partition(self.mark)
        if self.before:
            head = head.rpartition(self.before)[2]
        name = head.strip().removeprefix(self.prefix)
        if self.id_mark:
            name = name.partition(self.id_mark)[0]
        decoded = json_start(written.lstrip() or "{}")
        call = decoded and make_call(name.strip(), decoded[0])
        return Calls((call,), decoded[1].strip().removeprefix(self.fence)) if decoded and call else None

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`."""
        written = body.partition(self.mark)[2]
        return written.lstrip().startswith("{") and JsonScan().is_in_string(written)

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        before = f"{self.id_before} {quoted(self.before + self.prefix)}"
        return rules.each_tool(
            lambda tool: (
                f"{before} {quoted(tool.name)} {self.id_behind} {quoted(self.mark)} {rules.arguments(tool)} "
                f"{rules.space} {quoted(self.fence)} {rules.space}"
            )
        )


def as_call(value: object) -> Call | None:
    """The call that a JSON object means, by any of the names that models give to its parts."""
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = value.get("name", value.get("tool_name", inner))
    arguments = value.get("arguments", value.get("parameters"))
    return make_call(name, {} if arguments is None else arguments)


def _member(name: str) -> str:
    return f"{_text(name)} {quoted(':')} gap"


def _text(text: str) -> str:
    return quoted(JSON.write(text))
