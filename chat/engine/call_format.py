"""What a way of writing tool calls consists of: marks around a call, and a syntax for what is inside.

A syntax reads calls, and writes the grammar of exactly those that it reads; knows no model families.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Protocol

from chat.domain.errors import InvalidInput
from chat.domain.messages import ToolSpec
from chat.engine.calls import Calls
from chat.engine.gbnf import parse_grammar
from chat.engine.grammar import Grammar
from chat.engine.grammar_rules import GrammarRules, quoted, text_without
from chat.engine.json_grammar import SchemaWriter, json_grammar
from chat.engine.json_notation import JSON, Notation
from chat.engine.json_schema import Schema

# At 10 us a symbol all replies wait for a grammar that is being made.
_MAX_SYMBOLS = 20_000
_MAX_TOOL_SYMBOLS = 3000
_SPACE = "[ \\n]{0,12}"  # with no end a model might go on with spaces for ever


class CallSyntax(Protocol):
    """How the inside of a call is written."""

    @property
    def notation(self) -> Notation:
        """How values are written."""

    @property
    def marks(self) -> tuple[str, ...]:
        """The fixed texts in it that a model may have control tokens for."""

    def read(self, body: str) -> Calls | None:
        """The calls at the start of `body`, None when there are none."""

    def is_inside(self, body: str) -> bool:
        """True while `body` ends inside a string: a mark there is only text."""

    def expression(self, rules: CallRules) -> str:
        """GBNF for calls of the tools in `rules`. Raises: InvalidInput when they cannot be told."""


@dataclass(frozen=True, slots=True)
class CallFormat:
    """Calls between two marks. With an empty `close` they reach to the next `open`, or to the end of the reply.

    `breaks` are other marks that end a call. `has_rest` lets text follow the last call; `is_guarded` is false where a
    model must be free to write what is no call of an offered tool.
    """

    open: str
    close: str
    syntax: CallSyntax
    breaks: tuple[str, ...] = ()
    has_rest: bool = False
    is_guarded: bool = True

    @property
    def marks(self) -> tuple[str, ...]:
        """All fixed texts."""
        return (self.open, self.close, *self.syntax.marks)

    def read(self, body: str) -> Calls | None:
        """The calls of a body, None when it holds anything else."""
        found = self.syntax.read(body)
        has_junk = found is not None and found.rest.strip() and not self.has_rest
        return None if has_junk else found


@dataclass(frozen=True, slots=True)
class Ways:
    """Several syntaxes for one mark: all are read, the first is what a grammar makes the model write."""

    first: CallSyntax
    others: tuple[CallSyntax, ...]

    @property
    def notation(self) -> Notation:
        """See `CallSyntax.notation`."""
        return self.first.notation

    @property
    def marks(self) -> tuple[str, ...]:
        """See `CallSyntax.marks`."""
        return self.first.marks

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        found = (syntax.read(body) for syntax in (self.first, *self.others))
        return next((calls for calls in found if calls), None)

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`."""
        return any(syntax.is_inside(body) for syntax in (self.first, *self.others))

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        return self.first.expression(rules)


class CallRules(GrammarRules):
    """Rules for calls of some tools; `exact` names those whose arguments have to fit their schema.

    None of the `breaks` may stand in a text: it would end the call.
    """

    def __init__(self, tools: Sequence[ToolSpec], form: CallFormat, exact: Container[str]) -> None:
        super().__init__()
        self.notation = form.syntax.notation
        self.breaks = tuple(mark for mark in (form.close or form.open, *form.breaks) if mark)
        self.space = self.add(_SPACE)
        self._tools = tools
        self._exact = exact
        self._texts: dict[str, str] = {}

    def text_before(self, mark: str) -> str:
        """Any text in which neither `mark` nor what breaks a call occurs."""
        if mark not in self._texts:
            self._texts[mark] = text_without((mark, *self.breaks), self)
        return self._texts[mark]

    def each_tool(self, write: Callable[[ToolSpec], str]) -> str:
        """What `write` gives for one of the tools."""
        return self.either(write(tool) for tool in self._tools)

    def arguments(self, tool: ToolSpec) -> str:
        """An object that fits the tool's schema; any object where that cannot be expressed."""
        schema = self.schema_of(tool)
        return "object" if schema is None else SchemaWriter(self, self.notation, schema).write()

    def schema_of(self, tool: ToolSpec) -> Schema | None:
        """The schema of the tool's arguments; None for any arguments."""
        return _schema(tool) if tool.name in self._exact else None


def call_grammar(form: CallFormat, tools: Sequence[ToolSpec]) -> Grammar | None:
    """What may follow `form.open`: calls of these tools, `form.close`, and then anything.

    Schemas that cannot be expressed, or are too large together, are left out; None when even the names are too many.
    """
    for choose in (_can_write, _is_small, lambda tool: False):
        rules = CallRules(tools, form, {tool.name for tool in tools if choose(tool)})
        try:
            root = f"{form.syntax.expression(rules)} {_end(form)}"
            primitives = rules.notation.primitives(rules.breaks)
            return parse_grammar(f"root ::= {root}\n{rules.write()}{primitives}", _MAX_SYMBOLS)
        except InvalidInput:
            continue
    return None


def _schema(tool: ToolSpec) -> Schema:
    return {**tool.parameters, "type": "object"}


def _can_write(tool: ToolSpec) -> bool:
    try:
        SchemaWriter(GrammarRules(), JSON, _schema(tool)).write()
    except (InvalidInput, RecursionError):
        return False
    return True


def _is_small(tool: ToolSpec) -> bool:
    try:
        json_grammar(_schema(tool), _MAX_TOOL_SYMBOLS)
    except InvalidInput:
        return False
    return True


def _end(form: CallFormat) -> str:
    """A token may hold more than the end of a call; a model may also end its reply in place of the mark."""
    if form.close:
        return f"({quoted(form.close)} .*)?"
    return ".*" if form.has_rest else ""
