"""From a JSON schema to GBNF: every reply that the grammar lets end is JSON that fits the schema.

The other way round it is narrower: properties come in the order of the schema, others than those listed do not come,
and no more than a space stands between two values, so that no model can go on writing spaces. llama-cpp-python has a
converter, too; it lets line breaks into strings, loses backslashes and ignores bounds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from chat.domain.errors import InvalidInput
from chat.engine.gbnf import MAX_REPEATS, parse_grammar
from chat.engine.json_numbers import NoNumber, integers, numbers

MAX_DEPTH = 32
MAX_SCHEMAS = 1000

_PRIMITIVES = r"""
value ::= object | array | string | number | boolean | null
object ::= "{" (member ("," gap member)*)? "}"
member ::= string ":" gap value
array ::= "[" (value ("," gap value)*)? "]"
string ::= "\"" char* "\""
char ::= [^"\\\x00-\x1f\x7f] | "\\" ["\\/bfnrt]
number ::= integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?
integer ::= "-"? ("0" | [1-9] [0-9]{0,15})
boolean ::= "true" | "false"
null ::= "null"
gap ::= " "?
date ::= [12] [0-9]{3} "-" (month-31 "-" day-31 | month-30 "-" day-30 | "02-" day-28)
month-31 ::= "0" [13578] | "1" [02]
month-30 ::= "0" [469] | "11"
day-31 ::= day-30 | "31"
day-30 ::= day-28 | "29" | "30"
day-28 ::= "0" [1-9] | "1" [0-9] | "2" [0-8]
time ::= ([01] [0-9] | "2" [0-3]) (":" [0-5] [0-9]){2} ("." [0-9]{1,6})? ("Z" | [-+] [01] [0-9] ":" [0-5] [0-9])
uuid ::= hex{8} ("-" hex{4}){3} "-" hex{12}
hex ::= [0-9a-f]
"""
_FORMATS = {"date": "date", "time": "time", "date-time": 'date "T" time', "uuid": "uuid"}

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": Mapping,
    "array": (list, tuple),
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
# What gives the type away where a schema does not name it.
_SIGNS = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_COMBINED = ("anyOf", "oneOf", "allOf")
_CHECKED = {
    "type",
    "enum",
    "const",
    "$ref",
    *_COMBINED,
    *(word for words in _SIGNS.values() for word in words),
}
_UNSUPPORTED = (
    *("pattern", "patternProperties", "propertyNames", "minProperties", "maxProperties", "multipleOf"),
    *("dependentRequired", "dependentSchemas", "dependencies", "if", "then", "else", "not", "uniqueItems"),
    *("contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties"),
    *("$dynamicRef", "$recursiveRef"),
)

Schema = Mapping[str, Any]


def json_grammar(schema: Schema | None) -> str:
    """GBNF for JSON that fits `schema`; for any JSON object where there is none. `oneOf` is taken as `anyOf`.

    Raises: InvalidInput naming the part that is no schema, not supported, too large or too deep.
    """
    try:
        grammar = f"root ::= object\n{_PRIMITIVES}" if schema is None else _SchemaWriter(schema).write()
    except RecursionError as exc:  # comparing values that are nested thousands deep
        raise InvalidInput("The JSON schema is nested too deep.") from exc
    try:
        parse_grammar(grammar)
    except InvalidInput as exc:
        raise InvalidInput(f"The JSON schema is too large, or nothing can fit it. {exc.message}") from exc
    return grammar


class _SchemaWriter:
    """The rules of one schema. `at` is the place in it, as a JSON pointer; every method returns a GBNF expression."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._rules: list[str] = []
        self._known: dict[str, str] = {}
        self._referred: dict[str, str] = {}
        self._num_schemas = 0

    def write(self) -> str:
        root = self._read(self._root, "#", 0)
        return "\n".join([f"root ::= {root}", *self._rules]) + "\n" + _PRIMITIVES

    def _fail(self, at: str, problem: str) -> NoReturn:
        raise InvalidInput(f"The JSON schema at {at[:200]}: {problem[:200]}")

    def _rule(self, body: str) -> str:
        """The name of a rule of this body; the same for the same body."""
        if body not in self._known:
            self._known[body] = self._new_name()
            self._define(self._known[body], body)
        return self._known[body]

    def _new_name(self) -> str:
        self._rules.append("")
        return f"r{len(self._rules)}"

    def _define(self, name: str, body: str) -> None:
        self._rules[int(name[1:]) - 1] = f"{name} ::= {body}"

    def _read(self, schema: object, at: str, depth: int) -> str:
        self._num_schemas += 1
        if self._num_schemas > MAX_SCHEMAS:
            self._fail(at, f"it has more than {MAX_SCHEMAS} parts.")
        if depth > MAX_DEPTH:
            self._fail(at, f"it is nested more than {MAX_DEPTH} deep.")
        if schema is True:
            return "value"
        if schema is False:
            self._fail(at, "“false” fits nothing.")
        if not isinstance(schema, Mapping):
            self._fail(at, "a schema is an object.")
        for word in _UNSUPPORTED:
            if schema.get(word, False) is not False:
                self._fail(at, f"“{word}” is not supported.")
        return self._read_object(schema, at, depth)

    def _read_object(self, schema: Schema, at: str, depth: int) -> str:
        if "$ref" in schema:
            return self._read_reference(schema, at, depth)
        if "const" in schema or "enum" in schema:
            return self._read_choice(schema, at)
        if "allOf" in schema:
            return self._read(
                self._merged(schema, "allOf", self._list(schema, "allOf", at), at), at, depth + 1
            )
        for word in ("anyOf", "oneOf"):
            if word in schema:
                branches = self._list(schema, word, at)
                merged = [self._merged(schema, word, [branch], at) for branch in branches]
                return self._either(
                    self._read(each, f"{at}/{word}/{place}", depth + 1) for place, each in enumerate(merged)
                )
        kind = schema.get("type") or next(
            (kind for kind, signs in _SIGNS.items() if any(s in schema for s in signs)), None
        )
        if isinstance(kind, (list, tuple)) and kind:
            return self._either(self._read({**schema, "type": each}, at, depth + 1) for each in kind)
        match kind:
            case None:
                return "value"
            case "object":
                return self._read_properties(schema, at, depth)
            case "array":
                return self._read_items(schema, at, depth)
            case "string":
                return self._read_string(schema, at)
            case "integer" | "number":
                return self._read_number(schema, at, kind)
            case "boolean" | "null":
                return str(kind)
            case _:
                return self._fail(at, f"“{kind}” is no type.")

    def _either(self, expressions: Iterable[str]) -> str:
        return self._rule(" | ".join(dict.fromkeys(expressions)))

    def _list(self, schema: Schema, word: str, at: str) -> list[Any]:
        found = schema[word]
        if not isinstance(found, (list, tuple)) or not found:
            self._fail(at, f"“{word}” must be a list with something in it.")
        return list(found)

    # References

    def _read_reference(self, schema: Schema, at: str, depth: int) -> str:
        pointer = schema["$ref"]
        if beside := sorted((_CHECKED & schema.keys()) - {"$ref"}):
            self._fail(at, f"“{beside[0]}” beside “$ref” is not supported.")
        if not isinstance(pointer, str) or not (pointer == "#" or pointer.startswith("#/")):
            self._fail(at, f"“$ref” {str(pointer)[:80]!r} is not inside this schema.")
        if pointer not in self._referred:
            name = self._referred[pointer] = self._new_name()
            self._define(name, self._read(self._find(pointer, at), pointer, depth + 1))
        return self._referred[pointer]

    def _find(self, pointer: str, at: str) -> object:
        found: Any = self._root
        for word in pointer.split("/")[1:]:
            key = unquote(word).replace("~1", "/").replace("~0", "~")
            if isinstance(found, (list, tuple)) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, Mapping) and key in found:
                found = found[key]
            else:
                self._fail(at, f"“$ref” {pointer[:80]!r} leads nowhere.")
        return found

    def _merged(self, schema: Schema, word: str, parts: list[Any], at: str) -> object:
        """`schema` without `word` and all `parts` in one. A part alone stays as it is."""
        rest = {key: value for key, value in schema.items() if key != word}
        if len(parts) == 1 and not _CHECKED & rest.keys():
            return parts[0]
        merged: dict[str, Any] = {}
        num_holders = 0
        for part in [rest, *map(self._followed, parts)]:
            if not isinstance(part, Mapping):
                self._fail(at, f"“{word}” can only join schemas that are objects.")
            num_holders += "properties" in part or "additionalProperties" in part
            for key in part:
                merged[key] = self._joined(key, merged[key], part[key], at) if key in merged else part[key]
        if num_holders > 1 and merged.get("additionalProperties", True) is not True:
            self._fail(at, f"“additionalProperties” inside “{word}” is not supported.")
        return merged

    def _followed(self, part: object) -> object:
        """What a bare reference means; recursion ends by the depth of the schema."""
        while (
            isinstance(part, Mapping)
            and isinstance(part.get("$ref"), str)
            and not (_CHECKED & part.keys()) - {"$ref"}
        ):
            self._num_schemas += 1
            if self._num_schemas > MAX_SCHEMAS or not part["$ref"].startswith("#"):
                break
            part = self._find(part["$ref"], part["$ref"])
        return part

    def _joined(self, key: str, left: Any, right: Any, at: str) -> Any:
        if left == right or key not in _CHECKED:
            return left
        if key == "required" and isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            return [*left, *right]
        if key == "properties" and isinstance(left, Mapping) and isinstance(right, Mapping):
            both = left.keys() & right.keys()
            if all(left[name] == right[name] for name in both):
                return {**left, **right}
        return self._fail(at, f"“{key}” stands in two schemas that hold at once: that is not supported.")

    # Values

    def _read_choice(self, schema: Schema, at: str) -> str:
        if beside := sorted((_CHECKED & schema.keys()) - {"type", "enum", "const"}):
            self._fail(at, f"“{beside[0]}” beside “enum” or “const” is not supported.")
        values = [schema["const"]] if "const" in schema else self._list(schema, "enum", at)
        kinds = schema.get("type", list(_TYPES))
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(kinds, (list, tuple)) or not all(kind in _TYPES for kind in kinds):
            self._fail(at, f"“{kinds}” is no type.")
        fitting = [value for value in values if any(_is_of(value, kind) for kind in kinds)]
        if "const" in schema and "enum" in schema:
            fitting = [value for value in fitting if value in self._list(schema, "enum", at)]
        if not fitting:
            self._fail(at, "no value of it fits its type.")
        return self._either(self._literal(value, at) for value in fitting)

    def _literal(self, value: object, at: str) -> str:
        """GBNF for exactly this value, without spaces."""
        try:
            written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            written.encode()
        except (TypeError, ValueError, RecursionError):
            self._fail(at, "it holds a value that is no JSON.")
        escaped = written.replace("\\", "\\\\").replace('"', '\\"').replace("\x7f", "\\x7f")
        return f'"{escaped}"'

    def _read_string(self, schema: Schema, at: str) -> str:
        low, high = self._bounds(schema, "minLength", "maxLength", at)
        if (low, high) != (0, None):
            return self._rule(f'"\\"" char{_repeat(low, high)} "\\""')
        known = _FORMATS.get(str(schema.get("format")))
        return self._rule(f'"\\"" {known} "\\""') if known else "string"

    def _read_number(self, schema: Schema, at: str, kind: str) -> str:
        words = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        if not any(word in schema for word in words):
            return kind
        try:
            low = _bound(schema.get("minimum"), schema.get("exclusiveMinimum"), max)
            high = _bound(schema.get("maximum"), schema.get("exclusiveMaximum"), min)
            return self._either(integers(low, high) if kind == "integer" else numbers(low, high))
        except NoNumber as exc:
            self._fail(at, str(exc))

    def _bounds(self, schema: Schema, least: str, most: str, at: str) -> tuple[int, int | None]:
        low, high = schema.get(least, 0), schema.get(most)
        for word, value in ((least, low), (most, high if high is not None else 0)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                self._fail(at, f"“{word}” must be a whole number from 0 on.")
        if low > MAX_REPEATS:
            self._fail(at, f"“{least}” is more than {MAX_REPEATS}.")
        if high is not None and high < low:
            self._fail(at, f"“{most}” is less than “{least}”.")
        return low, None if high is None else min(high, MAX_REPEATS)

    # Arrays and objects

    def _read_items(self, schema: Schema, at: str, depth: int) -> str:
        items = schema.get("items", True)
        is_tuple = isinstance(items, (list, tuple))
        prefix = items if is_tuple else schema.get("prefixItems", ())
        items = schema.get("additionalItems", True) if is_tuple else items
        if not isinstance(prefix, (list, tuple)):
            self._fail(at, "“prefixItems” must be a list.")
        low, high = self._bounds(schema, "minItems", "maxItems", at)
        first = [
            self._read(each, f"{at}/prefixItems/{place}", depth + 1)
            for place, each in enumerate(prefix[:high])
        ]
        low = max(0, low - len(first))
        # Behind a prefix nothing follows that need not.
        most = low if first else None if high is None else high
        if items is False and not low:
            most = 0
        if most == 0:
            return self._rule(f'"[" {_comma_separated(first)} "]"')
        item = self._read(items, f"{at}/items", depth + 1)
        if first:
            return self._rule(f'"[" {_comma_separated(first)} ("," gap {item}){_repeat(low, most)} "]"')
        many = f'{item} ("," gap {item}){_repeat(max(low - 1, 0), None if most is None else most - 1)}'
        return self._rule(f'"[" {many} "]"' if low else f'"[" ({many})? "]"')

    def _read_properties(self, schema: Schema, at: str, depth: int) -> str:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        others = schema.get("additionalProperties", True)
        if not isinstance(properties, Mapping) or not all(isinstance(name, str) for name in properties):
            self._fail(at, "“properties” must be an object.")
        if not isinstance(required, (list, tuple)) or not all(isinstance(name, str) for name in required):
            self._fail(at, "“required” must be a list of names.")
        unlisted = [name for name in dict.fromkeys(required) if name not in properties]
        if unlisted and others is False:
            self._fail(at, f"“{unlisted[0][:80]}” is required and not allowed.")
        if not properties and not unlisted:
            return self._read_map(others, at, depth)
        schemas = {**properties, **dict.fromkeys(unlisted, others)}
        members = []
        for name, each in schemas.items():
            if name not in required and each is False:
                continue
            value = self._read(each, f"{at}/properties/{name}", depth + 1)
            members.append((self._rule(f'{self._literal(name, at)} ":" gap {value}'), name in required))
        return self._rule(f'"{{" {self._members(members)} "}}"')

    def _read_map(self, others: object, at: str, depth: int) -> str:
        if others is True:
            return "object"
        if others is False:
            return '"{}"'
        value = self._read(others, f"{at}/additionalProperties", depth + 1)
        member = self._rule(f'string ":" gap {value}')
        return self._rule(f'"{{" ({member} ("," gap {member})*)? "}}"')

    def _members(self, members: list[tuple[str, bool]]) -> str:
        """Members in this order, those that are not required maybe left out, with commas between."""
        first, later = '""', '""'
        for member, is_required in reversed(members):
            taken, follows = f"{member} {later}", f'"," gap {member} {later}'
            first = self._rule(taken if is_required else f"{taken} | {first}")
            later = self._rule(follows if is_required else f"{follows} | {later}")
        return first


def _comma_separated(expressions: list[str]) -> str:
    return ' "," gap '.join(expressions)


def _repeat(low: int, high: int | None) -> str:
    return f"{{{low},{'' if high is None else high}}}"


def _bound(inclusive: Any, exclusive: Any, stricter: Any) -> tuple[Any, bool] | None:
    """The stricter of the two bounds, and whether it is itself left out. Draft 4 has a boolean `exclusive`."""
    if isinstance(exclusive, bool):
        return None if inclusive is None else (inclusive, exclusive)
    bounds = [
        (value, is_left_out)
        for value, is_left_out in ((inclusive, False), (exclusive, True))
        if value is not None
    ]
    for value, _ in bounds:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise NoNumber("a bound must be a number.")
    if len(bounds) < 2:
        return bounds[0] if bounds else None
    if inclusive == exclusive:
        return exclusive, True
    return bounds[0] if stricter(inclusive, exclusive) == inclusive else bounds[1]


def _is_of(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])
