"""GBNF for values between tags: text stands there as it is, everything else as JSON."""

from __future__ import annotations

from chat.engine.call_format import CallRules
from chat.engine.grammar_rules import first_letters, quoted, repeated
from chat.engine.json_grammar import SchemaWriter, choices
from chat.engine.json_notation import FORMATS, JSON
from chat.engine.json_schema import Schema, kinds_of, listed, sizes

_MAX_DEPTH = 16


class TagValues:
    """The values of one tool's arguments. `end` ends a value, and may not occur in a text."""

    def __init__(self, rules: CallRules, root: Schema | None, end: str) -> None:
        self._rules = rules
        self._writer = SchemaWriter(rules, JSON, root)
        self._end = end

    def text(self) -> str:
        """Any text."""
        return self._rules.text_before(self._end)

    def of(self, schema: object, at: str) -> tuple[str, str]:
        """Two expressions for values that fit a schema: for those that are text and for the others; "" for none.

        Raises: InvalidInput.
        """
        texts: list[str] = []
        others: list[str] = []
        self._add(schema, at, 0, texts, others)
        return (
            self._rules.either(texts) if texts else "",
            self._rules.either(others) if others else "",
        )

    def _add(self, schema: object, at: str, depth: int, texts: list[str], others: list[str]) -> None:
        reader = self._writer.reader
        schema = reader.checked(schema, at, depth)
        kinds = kinds_of(schema)
        if "$ref" in schema and depth < _MAX_DEPTH:
            self._add(reader.find(schema["$ref"], at), at, depth + 1, texts, others)
        elif "const" in schema or "enum" in schema:
            for value in choices(schema, at):
                where, written = (texts, value) if isinstance(value, str) else (others, JSON.write(value))
                where.append(quoted(str(written)))
        elif "allOf" in schema:
            merged = reader.merged(schema, "allOf", listed(schema, "allOf", at), at)
            self._add(merged, at, depth + 1, texts, others)
        elif word := next((word for word in ("anyOf", "oneOf") if word in schema), ""):
            for branch in reader.branches(schema, word, at):
                self._add(branch, at, depth + 1, texts, others)
        elif isinstance(kinds, (list, tuple)):
            for kind in kinds:
                self._add({**schema, "type": kind}, at, depth + 1, texts, others)
        elif kinds in ("string", None):
            texts.append(self._string(schema, at))
        else:
            others.append(self._writer.value(schema, at, depth))

    def _string(self, schema: Schema, at: str) -> str:
        low, high = sizes(schema, "minLength", "maxLength", at)
        if (low, high) != (0, None):
            # To count characters and look for marks at once would need a rule for each length.
            return self._rules.add(
                f"[^\\x00{first_letters((self._end, *self._rules.breaks))}]{repeated(low, high)}"
            )
        return FORMATS.get(str(schema.get("format"))) or self.text()
