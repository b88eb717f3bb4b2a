"""What the model is told of a function, and what of its arguments is put right or refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolSpec
from chat.tools.arguments import checked_arguments
from chat.tools.registry import built_in_tools
from chat.tools.schema import spec_of


def book(
    city: Annotated[str, "where to"],
    nights: int,
    budget: float = 100.0,
    kind: Literal["hotel", "hostel"] = "hotel",
    guests: list[str] | None = None,
    is_quiet: Annotated[bool | None, "away from the street"] = None,
) -> str:
    """Book a room for
    some nights.

    This is for programmers.
    """
    return city


SPEC = spec_of(book)


def test_a_signature_becomes_a_schema() -> None:
    assert (SPEC.name, SPEC.description) == ("book", "Book a room for some nights.")
    assert SPEC.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where to"},
            "nights": {"type": "integer"},
            "budget": {"type": "number"},
            "kind": {"type": "string", "enum": ["hotel", "hostel"]},
            "guests": {"type": "array", "items": {"type": "string"}},
            "is_quiet": {"type": "boolean", "description": "away from the street"},
        },
        "required": ["city", "nights"],
    }


def test_the_built_in_tools_are_told_as_the_starter_model_learnt_them() -> None:
    calculator, clock, search = (
        tool.spec for tool in built_in_tools(["calculator", "clock", "search_documents"])
    )

    assert calculator.description.startswith("Work out an arithmetic expression. Operators + - *")
    assert calculator.parameters == _one("expression", required=["expression"])
    assert clock.parameters == _one("timezone", required=[])
    assert search.description == "Find passages in the person's documents."
    assert search.parameters == _one("query", required=["query"])


def test_a_type_without_a_place_in_a_schema_is_refused() -> None:
    def tool(when: dict[str, int]) -> str:
        return ""

    with pytest.raises(TypeError, match="when"):
        spec_of(tool)


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [
        ({"city": 5, "nights": 2}, {"city": "5", "nights": 2}),
        ({"city": "Rome", "nights": "2"}, {"city": "Rome", "nights": 2}),
        ({"city": "Rome", "nights": 2.0}, {"city": "Rome", "nights": 2}),
        ({"city": "Rome", "nights": 2, "budget": "9.5"}, {"city": "Rome", "nights": 2, "budget": 9.5}),
        ({"city": "Rome", "nights": 2, "is_quiet": "true"}, {"city": "Rome", "nights": 2, "is_quiet": True}),
        ({"city": "Rome", "nights": 2, "guests": None}, {"city": "Rome", "nights": 2}),
    ],
)
def test_what_is_clear_is_put_right(arguments: dict[str, Any], understood: dict[str, Any]) -> None:
    found = checked_arguments(SPEC, arguments)

    assert found == understood
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in understood.items()
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nights": None}, "nights"),
        ({"nights": "a few"}, "nights: 'a few' is not of type 'integer'"),
        ({"nights": 1e999}, "nights"),
        ({"nights": True}, "nights"),
        ({"budget": "nan"}, "budget"),
        ({"kind": "castle"}, "kind: 'castle' is not one of"),
        ({"guests": ["Ann", 5]}, "guests: 1: 5 is not of type 'string'"),
        ({"city": ["Rome"]}, "city"),
        ({"stars": 5}, "does not take: stars"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolFailed) as refusal:
        checked_arguments(SPEC, {"city": "Rome", "nights": 2, **changes})

    assert words in refusal.value.message
    assert len(refusal.value.message) < 400


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    with pytest.raises(ToolFailed) as refusal:
        checked_arguments(SPEC, {"city": "Rome", "nights": ["x" * 100_000]})

    assert len(refusal.value.message) < 400


class TestSchemasFromOutside:
    def test_a_pattern_that_takes_for_ever_is_not_tried(self) -> None:
        endless = {"type": "string", "pattern": "^(a|a|b)*$"}
        schema = {
            "type": "object",
            "properties": {"text": endless},
            "patternProperties": {"^(a|a)*$": endless},
        }

        assert checked_arguments(ToolSpec("t", "", schema), {"text": "a" * 60 + "!", "a" * 60 + "!": 1})

    def test_references_and_unions_are_followed(self) -> None:
        schema = {
            "type": "object",
            "properties": {"place": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]}},
            "$defs": {
                "Place": {"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}}}
            },
        }
        spec = ToolSpec("t", "", schema)

        assert checked_arguments(spec, {"place": {"x": 1}}) == {"place": {"x": 1}}
        assert checked_arguments(spec, {"place": None}) == {"place": None}
        with pytest.raises(ToolFailed, match="place"):
            checked_arguments(spec, {"place": {"y": 1}})

    def test_one_that_takes_anything_is_given_anything(self) -> None:
        assert checked_arguments(ToolSpec("t", "", {"type": "object"}), {"a": [1]}) == {"a": [1]}


def _one(name: str, *, required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"}}, "required": required}
