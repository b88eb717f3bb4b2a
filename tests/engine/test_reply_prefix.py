"""The beginning of a stopped reply, in the form that its model goes on from."""

from __future__ import annotations

import pytest

from chat.engine.families import FAMILIES
from chat.engine.pieces import TextPiece
from chat.engine.reply_prefix import fit_prefix, opens_thinking
from chat.engine.tool_calls import ToolCallParser

THOUGHTFUL = "<think>\nHm.\n</think>\n\nYes, it"
OPEN_PROMPT = "<|im_start|>assistant\n<think>\n"
PROMPT = "<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("family", "prompt", "prefix", "fitted"),
    [
        ("hermes", PROMPT, "", ""),
        ("hermes", PROMPT, "Yes, it", "Yes, it"),
        ("hermes", PROMPT, THOUGHTFUL, THOUGHTFUL),
        ("hermes", OPEN_PROMPT, "Yes, it", "\n</think>\n\nYes, it"),
        ("hermes", OPEN_PROMPT, THOUGHTFUL, "Hm.\n</think>\n\nYes, it"),
        ("magistral", PROMPT, THOUGHTFUL, "[THINK]\nHm.\n[/THINK]\n\nYes, it"),
        ("gpt-oss", "<|start|>assistant", "Yes, it", "<|channel|>final<|message|>Yes, it"),
        (
            "gpt-oss",
            "<|start|>assistant",
            THOUGHTFUL,
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes, it",
        ),
    ],
)
def test_a_prefix_takes_the_form_of_its_family(family: str, prompt: str, prefix: str, fitted: str) -> None:
    assert fit_prefix(family, prompt, prefix) == fitted


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prompt", [PROMPT, OPEN_PROMPT])
@pytest.mark.parametrize("prefix", ["Yes, it", THOUGHTFUL])
def test_what_follows_a_fitted_prefix_is_text(family: str, prompt: str, prefix: str) -> None:
    parser = ToolCallParser(family, opens_thinking(family, prompt))

    parser.skip(fit_prefix(family, prompt, prefix))

    assert parser.feed(" is.") == [TextPiece(" is.")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("delivered", ["One, ", "One <", "One\n\n<tool_call>", '{"name', "[TOOL_CALLS]"])
def test_what_was_held_back_before_is_not_delivered_again(family: str, delivered: str) -> None:
    parser = ToolCallParser(family)

    parser.skip(fit_prefix(family, PROMPT, delivered))

    assert [*parser.feed("two words"), *parser.finish()] == [TextPiece("two words")]
