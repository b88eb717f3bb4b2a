"""JSON by grammar: whatever the grammar lets through, fits the schema."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain.errors import InvalidInput
from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from chat.engine.gbnf import parse_grammar
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.json_grammar import json_grammar
from chat.engine.json_numbers import NoNumber, integers, numbers
from tests.engine.talk import ask, hear

STARTER = Path(__file__).parents[2] / "models" / "starter.gguf"
ALPHABET = [*(chr(code) for code in range(32, 127)), "\n", "\t", "ä", "ü", "🌻"]
MAX_WALK = 600


def fits(schema: Any, text: str) -> bool:
    way = GrammarMatcher(parse_grammar(json_grammar(schema)))
    return way.accept(text.encode()) and way.may_end


def walk(grammar: str, chance: random.Random) -> str | None:
    """A random text that the grammar takes; None for one that did not come to an end."""
    way = GrammarMatcher(parse_grammar(grammar))
    text = ""
    while len(text) < MAX_WALK:
        if way.is_finished or (way.may_end and chance.random() < 0.2):
            return text
        # Ends are likelier than they are among all characters, or strings would never end.
        allowed = [each for each in ALPHABET if way.allows(each.encode())]
        ends = [each for each in allowed if each in '"}]']
        character = chance.choice(ends if ends and chance.random() < 0.3 else allowed)
        assert way.accept(character.encode())
        text += character
    return None


def is_valid(value: Any, schema: Any, root: Any) -> bool:
    """A small validator, for what `json_grammar` supports."""
    if schema is True:
        return True
    if "$ref" in schema:
        found = root
        for key in schema["$ref"].split("/")[1:]:
            found = found[key]
        return is_valid(value, found, root)
    rules = [
        "const" not in schema or same(value, schema["const"]),
        "enum" not in schema or any(same(value, each) for each in schema["enum"]),
        "type" not in schema or any(is_of(value, kind) for kind in as_list(schema["type"])),
        "anyOf" not in schema or any(is_valid(value, each, root) for each in schema["anyOf"]),
        "oneOf" not in schema or any(is_valid(value, each, root) for each in schema["oneOf"]),
        all(is_valid(value, each, root) for each in schema.get("allOf", [])),
    ]
    if isinstance(value, str):
        rules.append(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        rules.append(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        rules.append(
            schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
        )
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        rules.append(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9))
        rules += [is_valid(each, part, root) for each, part in zip(value, prefix, strict=False)]
        rules += [is_valid(each, schema.get("items", True), root) for each in value[len(prefix) :]]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        rules.append(set(schema.get("required", [])) <= value.keys())
        rules += [is_valid(each, known[name], root) for name, each in value.items() if name in known]
        rules += [
            others is not False and is_valid(value[name], others, root)
            for name in value.keys() - known.keys()
        ]
    return all(rules)


def as_list(kinds: Any) -> list[str]:
    return kinds if isinstance(kinds, list) else [kinds]


def is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    types = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "null": type(None),
    }
    return kind in types and isinstance(value, types[kind])


def same(left: Any, right: Any) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


WEATHER = {
    "type": "object",
    "title": "Weather",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 20},
        "sky": {"enum": ["sunny", "cloudy", 'so "so"', "a\\b\nc", 3, None]},
        "degrees": {"type": "integer", "minimum": -40, "maximum": 55},
        "rain": {"type": "number", "minimum": 0, "maximum": 1},
        "hours": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
        "note": {"anyOf": [{"type": "string", "maxLength": 8}, {"type": "null"}]},
    },
    "required": ["city", "sky", "degrees"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "below": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
        }
    },
}


class TestWhatFits:
    @pytest.mark.parametrize(
        "text", ["{}", '{"a":1}', '{"a": [1, {"b":null}],"c": "x\\n\\"y ä🌻"}', '{"a":-1.5e10}']
    )
    def test_any_object(self, text: str) -> None:
        assert fits(None, text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "1",
            '{"a"}',
            '{"a":01}',
            '{"a":"\n"}',
            '{"a":1,}',
            "{ }",
            '{"a":  1}',
            "{} ",
            '{"a":"\\q"}',
        ],
    )
    def test_nothing_else(self, text: str) -> None:
        assert not fits(None, text)

    @pytest.mark.parametrize(
        ("schema", "good", "bad"),
        [
            (True, ["1", '"a"', "null", "[]", "{}"], ["", "nul"]),
            ({}, ["1", "[1, true]"], ["x"]),
            ({"type": "string", "maxLength": 2}, ['""', '"ab"', '"🌻\\n"'], ['"abc"', "1"]),
            ({"minLength": 2}, ['"ab"'], ['"a"', "12"]),
            ({"type": ["integer", "null"]}, ["null", "-7", "0"], ["1.5", '"1"', "00"]),
            ({"const": {"a": [1, "ä"]}}, ['{"a":[1,"ä"]}'], ['{"a":[1]}']),
            ({"enum": [1, "1", True], "type": "string"}, ['"1"'], ["1", "true"]),
            ({"enum": ['"\\\n\x7f']}, ['"\\"\\\\\\n\x7f"'], ['"']),
            (
                {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
                ["[]", "[true, false]"],
                ["[true,true,true]"],
            ),
            ({"type": "array", "items": False}, ["[]"], ["[1]"]),
            ({"prefixItems": [{"type": "integer"}, {"type": "null"}]}, ["[1, null]"], ["[1]", "[1,null,2]"]),
            ({"items": [{"type": "integer"}], "minItems": 2}, ["[1,2]", '[1,"a"]'], ["[1]"]),
            (
                {"type": "object", "additionalProperties": {"type": "integer"}},
                ["{}", '{"a":1,"b": 2}'],
                ['{"a":"b"}'],
            ),
            ({"type": "object", "additionalProperties": False}, ["{}"], ['{"a":1}']),
            ({"required": ["a"]}, ['{"a":1}', '{"a":{}}'], ["{}"]),
            (
                {"properties": {"a": {"const": 1}, "b": {"const": 2}}},
                ["{}", '{"a":1}', '{"b":2}', '{"a":1,"b": 2}'],
                ['{"b":2,"a":1}', '{,"b":2}'],
            ),
            (
                {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "null"}}, "title": "x"},
                ["null"],
                ["1"],
            ),
            (
                {
                    "allOf": [
                        {"properties": {"a": {"const": 1}}, "required": ["a"]},
                        {"properties": {"b": {"const": 2}}, "required": ["b"]},
                    ]
                },
                ['{"a":1,"b":2}'],
                ['{"a":1}', "{}"],
            ),
            (
                {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
                ['{"a":1}', '{"b":1}'],
                ["{}"],
            ),
            ({"type": "string", "format": "date"}, ['"2024-02-28"', '"2024-12-31"'], ['"2024-02-30"', '"x"']),
            ({"type": "string", "format": "phone"}, ['"+1"'], ["1"]),
            (
                TREE,
                ['{"name":"a"}', '{"name":"a","below":[{"name":"b","below":[]}]}'],
                ['{"name":"a","below":[1]}'],
            ),
        ],
    )
    def test_schemas(self, schema: Any, good: list[str], bad: list[str]) -> None:
        assert [text for text in good if not fits(schema, text)] == []
        assert [text for text in bad if fits(schema, text)] == []


class TestRefused:
    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"$ref": "https://example.org/schema.json"}, "not inside this schema"),
            ({"$ref": "other.json#/a"}, "not inside this schema"),
            ({"$ref": 7}, "not inside this schema"),
            ({"$ref": "#/$defs/none"}, "leads nowhere"),
            ({"$ref": "#"}, "nothing can fit"),
            (
                {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
                "nothing can fit",
            ),
            ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "nothing can fit"),
            ({"type": "object", "anyOf": [{"$ref": "#"}]}, "#"),
            ({"type": "string", "pattern": "^a+$"}, "“pattern” is not supported"),
            ({"properties": {"a": {"items": {"uniqueItems": True}}}}, "#/properties/a/items: “uniqueItems”"),
            ({"not": {}}, "“not” is not supported"),
            ({"type": "thing"}, "“thing” is no type"),
            ({"type": 7}, "“7” is no type"),
            ({"enum": []}, "something in it"),
            ({"enum": ["a"], "type": "integer"}, "fits its type"),
            ({"const": float("nan")}, "no JSON"),
            ({"const": "\ud83d"}, "no JSON"),
            ({"enum": [object()], "type": "thing"}, "no type"),
            ({"type": "integer", "minimum": 3, "maximum": 2}, "no whole number"),
            ({"type": "number", "minimum": 0.2, "maximum": 0.8}, "not supported"),
            ({"type": "integer", "minimum": "3"}, "must be a number"),
            ({"type": "integer", "minimum": float("inf")}, "must be a number"),
            ({"type": "integer", "minimum": 10**400}, "no whole number"),
            ({"type": "string", "minLength": 5000}, "more than 2000"),
            ({"type": "string", "minLength": -1}, "from 0 on"),
            ({"type": "string", "minLength": 3, "maxLength": 2}, "less than"),
            ({"type": "object", "properties": []}, "must be an object"),
            ({"type": "object", "properties": {1: True}}, "must be an object"),
            ({"type": "object", "required": "a"}, "list of names"),
            ({"required": ["a"], "additionalProperties": False}, "required and not allowed"),
            ({"type": "array", "prefixItems": 3}, "must be a list"),
            (False, "fits nothing"),
            ([], "a schema is an object"),
            ({"properties": {"a": 3}}, "a schema is an object"),
            (
                {"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": 2}}}]},
                "“properties” stands in two",
            ),
            ({"$ref": "#/$defs/a", "minLength": 2, "$defs": {"a": {"type": "string"}}}, "beside “$ref”"),
            (
                {"properties": {f"p{i}": {"type": "string", "maxLength": 1000 + i} for i in range(100)}},
                "too large",
            ),
            ({"properties": {f"p{i}": {} for i in range(2000)}}, "more than 1000 parts"),
            ({"enum": ["x" * 1000 + str(i) for i in range(100)]}, "too large"),
        ],
    )
    def test_the_part_is_named(self, schema: Any, words: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            json_grammar(schema)
        assert words in caught.value.message

    def test_a_deep_one(self) -> None:
        def deep() -> dict[str, Any]:
            schema: dict[str, Any] = {}
            for _ in range(5000):
                schema = {"items": schema}
            return schema

        with pytest.raises(InvalidInput, match="more than 32 deep"):
            json_grammar(deep())
        with pytest.raises(InvalidInput, match="too deep"):
            json_grammar({"allOf": [deep(), deep()]})


class TestNumbers:
    @pytest.mark.parametrize(
        ("low", "high"),
        [(0, 0), (0, 9), (3, 17), (-5, 5), (-120, -7), (98, 1203), (100, 999), (-1, 0), (7, 7), (0, 255)],
    )
    def test_whole_numbers_are_exact(self, low: int, high: int) -> None:
        grammar = parse_grammar("root ::= " + " | ".join(integers((low, False), (high, False))))

        found = []
        for number in range(-1300, 1301):
            way = GrammarMatcher(grammar)
            if way.accept(str(number).encode()) and way.may_end:
                found.append(number)

        assert found == list(range(low, high + 1))

    bounds = st.one_of(
        st.none(),
        st.tuples(st.integers(-1200, 1200) | st.floats(-50, 50).map(lambda f: round(f, 1)), st.booleans()),
    )

    @settings(max_examples=150, deadline=None)
    @given(bounds, bounds, st.randoms(use_true_random=False), st.booleans())
    def test_numbers_stay_between_their_bounds(
        self, low: Any, high: Any, chance: random.Random, is_whole: bool
    ) -> None:
        try:
            alternatives = integers(low, high) if is_whole else numbers(low, high)
        except NoNumber:
            return
        grammar = "root ::= " + " | ".join(alternatives)

        for _ in range(5):
            value = json.loads(walk(grammar, chance))
            assert low is None or (value > low[0] if low[1] else value >= low[0])
            assert high is None or (value < high[0] if high[1] else value <= high[0])

    @pytest.mark.parametrize(
        ("low", "high"), [((0, True), None), ((0, False), (1, True)), ((-1, True), (0, True))]
    )
    def test_fractions_beside_a_bound_can_be_written(self, low: Any, high: Any) -> None:
        grammar = parse_grammar("root ::= " + " | ".join(numbers(low, high)))
        way, zero = GrammarMatcher(grammar), GrammarMatcher(grammar)

        assert way.accept(b"-0.25" if high == (0, True) else b"0.25")
        assert (zero.accept(b"0") and zero.may_end) == (not low[1] and low[0] == 0)


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "read"),
        [
            ("date", date.fromisoformat),
            ("date-time", datetime.fromisoformat),
            ("uuid", UUID),
        ],
    )
    def test_what_comes_can_be_read(self, name: str, read: Any) -> None:
        chance = random.Random(3)
        grammar = json_grammar({"type": "string", "format": name})

        for _ in range(30):
            read(json.loads(walk(grammar, chance)))


names = st.sampled_from(["a", "b", 'q"u', "back\\slash", "ü", "new\nline"])
leaves = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "number", "integer", "boolean", "null")]),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        st.integers(-99, 99),
        st.integers(0, 300),
    ),
    st.builds(
        lambda values: {"enum": values},
        st.lists(names | st.integers() | st.none() | st.booleans(), min_size=1, max_size=4),
    ),
    st.builds(
        lambda value: {"const": value},
        st.lists(names, max_size=2) | st.dictionaries(names, st.integers(), max_size=2),
    ),
    st.just({"$ref": "#/$defs/shared"}),
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(names, inner, max_size=4)
    return st.one_of(
        st.builds(
            lambda known, wanted, others: {
                "type": "object",
                "properties": known,
                "required": [name for name in known if name in wanted],
                **({} if others is None else {"additionalProperties": others}),
            },
            properties,
            st.sets(names),
            st.sampled_from([None, True, False, {"type": "integer"}]),
        ),
        st.builds(
            lambda items, low, more: {
                "type": "array",
                "items": items,
                "minItems": low,
                "maxItems": low + more,
            },
            inner,
            st.integers(0, 2),
            st.integers(0, 2),
        ),
        st.builds(
            lambda first: {"type": "array", "prefixItems": first}, st.lists(inner, min_size=1, max_size=2)
        ),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
    )


@settings(max_examples=120, deadline=None)
@given(st.recursive(leaves, nested, max_leaves=8), st.randoms(use_true_random=False))
def test_whatever_the_grammar_takes_fits_the_schema(schema: dict[str, Any], chance: random.Random) -> None:
    schema = {**schema, "$defs": {"shared": {"type": "string", "maxLength": 3}}}
    grammar = json_grammar(schema)

    for _ in range(3):
        text = walk(grammar, chance)
        if text is not None:
            assert is_valid(json.loads(text), schema, schema), text


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(
    "schema", [WEATHER, {**WEATHER, "required": []}], ids=["weather", "nothing-required"]
)
def test_a_random_model_writes_what_fits(shared_engine: LlamaEngine, schema: Any, seed: int | None) -> None:
    params = {} if seed is None else {"temperature": 1.0, "seed": seed}

    heard = hear(shared_engine.submit(ask("hello", grammar=json_grammar(schema), max_tokens=900, **params)))

    assert heard.end.reason == "stop"
    assert is_valid(json.loads(heard.text), schema, schema)


@pytest.fixture(scope="module")
def starter() -> Iterator[LlamaEngine]:
    engine = LlamaEngine(STARTER, EngineConfig(num_slots=2))
    yield engine
    engine.close()


@pytest.mark.skipif(not STARTER.exists(), reason="the starter model is not there")
class TestStarter:
    @pytest.mark.parametrize("params", [{}, {"temperature": 0.8, "seed": 1}, {"temperature": 1.5, "seed": 2}])
    @pytest.mark.parametrize(
        "schema",
        [
            WEATHER,
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 99},
                "minItems": 3,
                "maxItems": 5,
            },
            {"properties": {"answer": {"type": "string", "maxLength": 60}}, "required": ["answer"]},
            {"type": "string", "format": "date"},
            {"enum": ["Paris", "Rome", "Madrid"]},
        ],
        ids=["weather", "numbers", "answer", "date", "choice"],
    )
    def test_it_writes_what_fits(self, starter: LlamaEngine, schema: Any, params: dict[str, Any]) -> None:
        request = ask(
            "What is the capital of France?",
            system="",
            grammar=json_grammar(schema),
            max_tokens=500,
            **params,
        )

        heard = hear(starter.submit(request))

        assert heard.end.reason == "stop", heard.text
        assert is_valid(json.loads(heard.text), schema, schema), heard.text

    def test_any_object_is_json_when_it_ends(self, starter: LlamaEngine) -> None:
        heard = hear(starter.submit(ask("Hello!", system="", grammar=json_grammar(None), max_tokens=500)))

        if heard.end.reason == "stop":
            assert isinstance(json.loads(heard.text), dict)
