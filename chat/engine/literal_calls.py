"""Calls as Python and Gemma write them: `[look(place='Rome')]`, `call:look{place:<|"|>Rome<|"|>}`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chat.domain.messages import ToolSpec
from chat.engine.call_format import CallRules
from chat.engine.calls import Call, Calls, make_call
from chat.engine.grammar_rules import quoted
from chat.engine.json_containers import in_order, properties_of
from chat.engine.json_grammar import SchemaWriter
from chat.engine.json_notation import GEMMA, GEMMA_QUOTE, PYTHON, Notation
from chat.engine.literals import LiteralReader, NoLiteral


@dataclass(frozen=True, slots=True)
class PythonCalls:
    """A list of calls with named arguments."""

    notation: Notation = PYTHON
    marks: tuple[str, ...] = ()

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        reader = LiteralReader(body)

        def call() -> Call:
            name = reader.name()
            reader.expect("(")
            return _checked(name, dict(reader.until(")", argument)))

        def argument() -> tuple[str, Any]:
            key = reader.name()
            reader.expect("=")
            return key, reader.value()

        return _read(lambda: reader.until("]", call) if reader.takes("[") else [call()], reader)

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`. The first mark counts."""
        return False

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        call = rules.each_tool(lambda tool: f'{quoted(tool.name)} "(" {_arguments(tool, rules)} ")"')
        return f'{rules.space} "[" {call} ("," gap {call})* "]" {rules.space}'


@dataclass(frozen=True, slots=True)
class GemmaCall:
    """A name and an object in Gemma's own notation."""

    notation: Notation = GEMMA
    marks: tuple[str, ...] = (GEMMA_QUOTE,)

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        reader = LiteralReader(body, GEMMA_QUOTE)

        def call() -> Call:
            reader.expect("call:")
            return _checked(reader.name(), reader.value())

        return _read(lambda: [call()], reader)

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`."""
        return body.count(GEMMA_QUOTE) % 2 == 1

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        return rules.each_tool(lambda tool: f"{quoted('call:' + tool.name)} {rules.arguments(tool)}")


def _read(read: Callable[[], list[Call]], reader: LiteralReader) -> Calls | None:
    try:
        calls = read()
    except NoLiteral:
        return None
    return Calls(tuple(calls), reader.rest) if calls else None


def _checked(name: str, arguments: object) -> Call:
    call = make_call(name, arguments)
    if call is None:
        raise NoLiteral(name)
    return call


def _arguments(tool: ToolSpec, rules: CallRules) -> str:
    """Named arguments with commas between, in the order of the schema."""
    schema = rules.schema_of(tool)
    members = properties_of(schema, "#") if schema else []
    if not all(name.isidentifier() for name, _, _ in members):
        schema, members = None, []
    if not members:
        any_argument = '[A-Za-z_] [A-Za-z0-9_]{0,63} "=" value'
        takes_any = schema is None or "properties" not in schema
        return rules.add(f'({any_argument} ("," gap {any_argument})*)?' if takes_any else '""')
    writer = SchemaWriter(rules, rules.notation, schema)
    written = [
        (rules.add(f"{quoted(name + '=')} {writer.value(each, f'#/properties/{name}', 1)}"), is_required)
        for name, each, is_required in members
        if each is not False
    ]
    return in_order(written, rules)
