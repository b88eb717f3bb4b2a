"""Calling tools: the schema that the model is told, and errors that it can read."""

from __future__ import annotations

import re

import pytest

from chat.domain.messages import ToolCall
from chat.tools.registry import MAX_RESULT_CHARS, ToolRegistry
from chat.tools.schema import spec_of

REGISTRY = ToolRegistry(["calculator", "clock"])


def outcome(name: str, **arguments: object) -> tuple[str, bool]:
    result = REGISTRY.call(ToolCall("c1", name, arguments), REGISTRY.specs())
    assert result.call_id == "c1"
    return result.content, result.is_error


def test_the_model_is_told_name_description_and_schema() -> None:
    calculator, clock = REGISTRY.specs()

    assert calculator.name == "calculator"
    assert calculator.description.startswith("Work out an arithmetic expression.")
    assert calculator.parameters == {
        "type": "object",
        "properties": {"expression": {"type": "string"}},
        "required": ["expression"],
    }
    assert clock.parameters["required"] == []


def test_a_call_gives_the_result_and_its_time() -> None:
    result = REGISTRY.call(ToolCall("c1", "calculator", {"expression": "6*7"}), REGISTRY.specs())

    assert (result.content, result.is_error) == ("42", False)
    assert result.duration_ms >= 0


def test_a_number_for_a_text_is_understood() -> None:
    assert outcome("calculator", expression=5) == ("5", False)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("oracle", {}, "no tool called"),
        ("calculator", {}, "needs: expression"),
        ("calculator", {"expression": "1", "__class__": "x"}, "does not take"),
        ("calculator", {"expression": ["1"]}, "must be of type string"),
        ("calculator", {"expression": "1/0"}, "Division by zero"),
        ("clock", {"timezone": "Mars/Olympus"}, "No time zone"),
        ("clock", {"timezone": "../../etc/passwd"}, "No time zone"),
    ],
)
def test_every_failure_is_a_result(name: str, arguments: dict[str, object], words: str) -> None:
    content, is_error = outcome(name, **arguments)

    assert is_error
    assert words in content


def test_the_clock_tells_weekday_date_time_and_zone() -> None:
    content, is_error = outcome("clock", timezone="Asia/Tokyo")

    assert not is_error
    assert re.fullmatch(r"[A-Z][a-z]+day \d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d \(Asia/Tokyo\)", content)


def test_a_huge_result_is_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def flood() -> str:
        """Says a great deal."""
        return "x" * (MAX_RESULT_CHARS * 3)

    monkeypatch.setitem(REGISTRY._tools, "flood", type(REGISTRY._tools["clock"])(spec_of(flood), flood))
    content, is_error = outcome("flood")

    assert not is_error
    assert len(content) < MAX_RESULT_CHARS + 100
    assert content.endswith("[cut: the result had 98,304 characters]")
