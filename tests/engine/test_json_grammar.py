"""JSON by grammar: whatever the grammar lets through, fits the schema."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain.errors import InvalidInput
from chat.engine.gbnf import parse_grammar
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.json_grammar import json_grammar
from tests.engine.json_walk import is_valid, walk

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


def fits(schema: Any, text: str) -> bool:
    way = GrammarMatcher(parse_grammar(json_grammar(schema)))
    return way.accept(text.encode()) and way.may_end


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
