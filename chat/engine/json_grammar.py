"""From a JSON schema to GBNF: every reply that the grammar lets end is JSON that fits the schema.

The other way round it is narrower: properties come in the order of the schema, others than those listed do not come,
and no more than a space stands between two values, so that no model can go on writing spaces. llama-cpp-python has a
converter, too; it lets line breaks into strings, loses backslashes and ignores bounds.
"""

from __future__ import annotations

from chat.domain.errors import InvalidInput
from chat.engine.gbnf import MAX_SYMBOLS, parse_grammar
from chat.engine.grammar_rules import GrammarRules, quoted, repeated
from chat.engine.json_containers import ArrayWriter, ObjectWriter
from chat.engine.json_notation import FORMATS, JSON, Notation
from chat.engine.json_numbers import Bound, NoNumber, integers, numbers, stricter_bound
from chat.engine.json_schema import (
    CHECKED,
    TYPES,
    Schema,
    SchemaReader,
    is_of,
    kinds_of,
    listed,
    refuse,
    sizes,
)


def json_grammar(schema: Schema | None, max_symbols: int = MAX_SYMBOLS) -> str:
    """GBNF for JSON that fits `schema`; for any JSON object where there is none. `oneOf` is taken as `anyOf`.

    Raises: InvalidInput naming the part that is no schema, not supported, too large or too deep.
    """
    rules = GrammarRules()
    try:
        root = "object" if schema is None else SchemaWriter(rules, JSON, schema).write()
    except RecursionError as exc:  # comparing values that are nested thousands deep
        raise InvalidInput("The JSON schema is nested too deep.") from exc
    grammar = f"root ::= {root}\n{rules.write()}{JSON.primitives()}"
    try:
        parse_grammar(grammar, max_symbols)
    except InvalidInput as exc:
        raise InvalidInput(f"The JSON schema is too large, or nothing can fit it. {exc.message}") from exc
    return grammar


class SchemaWriter:
    """Writes one schema into `rules`; all methods return a GBNF expression. `at` is the place in the schema.

    All methods raise InvalidInput naming the part that is no schema or not supported.
    """

    def __init__(self, rules: GrammarRules, notation: Notation, root: object) -> None:
        self.rules = rules
        self.notation = notation
        self.reader = SchemaReader(root)
        self._referred: dict[str, str] = {}

    def write(self) -> str:
        """The whole schema."""
        return self.value(self.reader.root, "#", 0)

    def value(self, schema: object, at: str, depth: int) -> str:
        """A part of the schema."""
        schema = self.reader.checked(schema, at, depth)
        if "$ref" in schema:
            return self._reference(schema, at, depth)
        if "const" in schema or "enum" in schema:
            return self.rules.either(map(quoted, self._texts(choices(schema, at), at)))
        if "allOf" in schema:
            merged = self.reader.merged(schema, "allOf", listed(schema, "allOf", at), at)
            return self.value(merged, at, depth + 1)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                branches = enumerate(self.reader.branches(schema, word, at))
                return self.rules.either(
                    self.value(each, f"{at}/{word}/{place}", depth + 1) for place, each in branches
                )
        return self._of_kind(kinds_of(schema), schema, at, depth)

    def _of_kind(self, kind: object, schema: Schema, at: str, depth: int) -> str:
        if isinstance(kind, (list, tuple)) and kind:
            return self.rules.either(self.value({**schema, "type": each}, at, depth + 1) for each in kind)
        match kind:
            case None:
                return "value"
            case "object":
                return ObjectWriter(self).write(schema, at, depth)
            case "array":
                return ArrayWriter(self).write(schema, at, depth)
            case "string":
                return self._string(schema, at)
            case "integer" | "number":
                return self._number(schema, at, str(kind))
            case "boolean" | "null":
                return str(kind)
            case _:
                return refuse(at, f"“{kind}” is no type.")

    def _reference(self, schema: Schema, at: str, depth: int) -> str:
        pointer = schema["$ref"]
        if beside := sorted((CHECKED & schema.keys()) - {"$ref"}):
            refuse(at, f"“{beside[0]}” beside “$ref” is not supported.")
        found = self.reader.find(pointer, at)
        if pointer not in self._referred:
            name = self._referred[pointer] = self.rules.reserve()
            self.rules.define(name, self.value(found, pointer, depth + 1))
        return self._referred[pointer]

    def key(self, name: str, at: str) -> str:
        """The name of a property."""
        try:
            return quoted(self.notation.write_key(name))
        except ValueError:
            refuse(at, "it has a name that is no text.")

    def _texts(self, values: list[object], at: str) -> list[str]:
        try:
            return [self.notation.write(value) for value in values]
        except (TypeError, ValueError, RecursionError):
            refuse(at, "it holds a value that is no JSON.")

    def _string(self, schema: Schema, at: str) -> str:
        quote = quoted(self.notation.quote)
        low, high = sizes(schema, "minLength", "maxLength", at)
        if (low, high) != (0, None):
            return self.rules.add(f"{quote} char{repeated(low, high)} {quote}")
        known = FORMATS.get(str(schema.get("format")))
        return self.rules.add(f"{quote} {known} {quote}") if known else "string"

    def _number(self, schema: Schema, at: str, kind: str) -> str:
        words = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        if not any(word in schema for word in words):
            return kind
        try:
            low: Bound = stricter_bound(schema.get("minimum"), schema.get("exclusiveMinimum"), max)
            high: Bound = stricter_bound(schema.get("maximum"), schema.get("exclusiveMaximum"), min)
            return self.rules.either(integers(low, high) if kind == "integer" else numbers(low, high))
        except NoNumber as exc:
            refuse(at, str(exc))


def choices(schema: Schema, at: str) -> list[object]:
    """The values of `enum` or `const` that fit the type. Raises: InvalidInput when none does."""
    if beside := sorted((CHECKED & schema.keys()) - {"type", "enum", "const"}):
        refuse(at, f"“{beside[0]}” beside “enum” or “const” is not supported.")
    values = [schema["const"]] if "const" in schema else listed(schema, "enum", at)
    kinds = schema.get("type", list(TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(kinds, (list, tuple)) or not all(kind in TYPES for kind in kinds):
        refuse(at, f"“{kinds}” is no type.")
    fitting = [value for value in values if any(is_of(value, kind) for kind in kinds)]
    if "const" in schema and "enum" in schema:
        fitting = [value for value in fitting if value in listed(schema, "enum", at)]
    if not fitting:
        refuse(at, "no value of it fits its type.")
    return fitting
