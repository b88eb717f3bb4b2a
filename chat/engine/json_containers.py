"""From the schemas of arrays and objects to GBNF; `json_grammar` writes what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from chat.engine.grammar_rules import GrammarRules, repeated
from chat.engine.json_schema import Schema, refuse, sizes


class ValueWriter(Protocol):
    """What `SchemaWriter` is to a container."""

    rules: GrammarRules

    def value(self, schema: object, at: str, depth: int) -> str:
        """A GBNF expression for a part of the schema."""

    def key(self, name: str, at: str) -> str:
        """One for the name of a property."""


class ArrayWriter:
    """Items, all alike or each by its place."""

    def __init__(self, writer: ValueWriter) -> None:
        self._writer = writer

    def write(self, schema: Schema, at: str, depth: int) -> str:
        """A GBNF expression. Raises: InvalidInput."""
        items = schema.get("items", True)
        is_tuple = isinstance(items, (list, tuple))
        prefix = items if is_tuple else schema.get("prefixItems", ())
        items = schema.get("additionalItems", True) if is_tuple else items
        if not isinstance(prefix, (list, tuple)):
            refuse(at, "“prefixItems” must be a list.")
        low, high = sizes(schema, "minItems", "maxItems", at)
        first = [
            self._writer.value(each, f"{at}/prefixItems/{place}", depth + 1)
            for place, each in enumerate(prefix[:high])
        ]
        low = max(0, low - len(first))
        # Behind a prefix nothing follows that need not.
        most = low if first else None if high is None else high
        if items is False and not low:
            most = 0
        add = self._writer.rules.add
        if most == 0:
            return add(f'"[" {_comma_separated(first)} "]"')
        item = self._writer.value(items, f"{at}/items", depth + 1)
        if first:
            return add(f'"[" {_comma_separated(first)} ("," gap {item}){repeated(low, most)} "]"')
        more = repeated(max(low - 1, 0), None if most is None else most - 1)
        many = f'{item} ("," gap {item}){more}'
        return add(f'"[" {many} "]"' if low else f'"[" ({many})? "]"')


class ObjectWriter:
    """Properties in the order of the schema; any that fit where it names none."""

    def __init__(self, writer: ValueWriter) -> None:
        self._writer = writer

    def write(self, schema: Schema, at: str, depth: int) -> str:
        """A GBNF expression. Raises: InvalidInput."""
        members = properties_of(schema, at)
        if not members:
            return self._map(schema.get("additionalProperties", True), at, depth)
        written = []
        for name, each, is_required in members:
            if each is False and not is_required:
                continue
            value = self._writer.value(each, f"{at}/properties/{name}", depth + 1)
            member = self._writer.rules.add(f'{self._writer.key(name, at)} ":" gap {value}')
            written.append((member, is_required))
        return self._writer.rules.add(f'"{{" {in_order(written, self._writer.rules)} "}}"')

    def _map(self, others: object, at: str, depth: int) -> str:
        if others is True:
            return "object"
        if others is False:
            return '"{}"'
        value = self._writer.value(others, f"{at}/additionalProperties", depth + 1)
        member = self._writer.rules.add(f'key ":" gap {value}')
        return self._writer.rules.add(f'"{{" ({member} ("," gap {member})*)? "}}"')


def in_order(members: Sequence[tuple[str, bool]], rules: GrammarRules) -> str:
    """Members in this order, those that are not required maybe left out, with commas between."""
    first, later = '""', '""'
    for member, is_required in reversed(members):
        taken, follows = f"{member} {later}", f'"," gap {member} {later}'
        first = rules.add(taken if is_required else f"{taken} | {first}")
        later = rules.add(follows if is_required else f"{follows} | {later}")
    return first


def properties_of(schema: Schema, at: str) -> list[tuple[str, object, bool]]:
    """Name, schema and whether it is required of each property that an object schema names. Raises: InvalidInput."""
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    others = schema.get("additionalProperties", True)
    if not isinstance(properties, Mapping) or not all(isinstance(name, str) for name in properties):
        refuse(at, "“properties” must be an object.")
    if not isinstance(required, (list, tuple)) or not all(isinstance(name, str) for name in required):
        refuse(at, "“required” must be a list of names.")
    unlisted = [name for name in dict.fromkeys(required) if name not in properties]
    if unlisted and others is False:
        refuse(at, f"“{unlisted[0][:80]}” is required and not allowed.")
    schemas = {**properties, **dict.fromkeys(unlisted, others)}
    return [(name, each, name in required) for name, each in schemas.items()]


def _comma_separated(expressions: Sequence[str]) -> str:
    return ' "," gap '.join(expressions)
