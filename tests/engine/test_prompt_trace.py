"""Where the stretches of a prompt come from, and that their tokens add up."""

from __future__ import annotations

import pytest

from chat.domain.messages import ChatMessage, TextPart, ToolSpec
from chat.domain.params import GenerationRequest
from chat.engine.chat_template import CHATML_TEMPLATE, ChatTemplate
from chat.engine.prompt_encoder import PromptEncoder
from chat.engine.prompt_trace import PromptSpan
from tests.engine.fake_backend import FakeBackend

ADD = ToolSpec("add", "adds two numbers", {"type": "object", "properties": {}})
STRICT = (
    "{%- for message in messages %}<{{ message.role }}>{{ message.content | trim }}</{{ message.role }}>"
    "{%- endfor %}<assistant>"
)
SHORTENING = "{%- for message in messages %}{{ message.content[:30] }}{%- endfor %}"


def trace(source: str, *texts: str, tools: tuple[ToolSpec, ...] = (), prefix: str = "") -> list[PromptSpan]:
    """Of one question made of these parts, behind a system prompt."""
    messages = (
        ChatMessage.of("system", " Be brief.\n"),
        ChatMessage("user", tuple(TextPart(text) for text in texts)),
    )
    request = GenerationRequest(messages, tools=tools, reply_prefix=prefix)
    encoder = PromptEncoder(FakeBackend(), ChatTemplate(source))
    spans = list(encoder.trace(request))
    assert sum(span.num_tokens for span in spans) == encoder.count(request)
    return spans


def told(spans: list[PromptSpan]) -> list[tuple[object, ...]]:
    """What is not the template's own."""
    return [(s.origin, s.message, s.part, s.text) for s in spans if s.origin != "template"]


@pytest.mark.parametrize("source", [CHATML_TEMPLATE, STRICT])
def test_parts_are_found_in_their_order(source: str) -> None:
    spans = trace(source, "Passages:\n\n", "Who?")

    assert told(spans) == [
        ("part", 0, 0, "Be brief."),
        ("part", 1, 0, "Passages:"),
        ("part", 1, 1, "Who?"),
    ]


def test_tools_are_what_is_missing_without_them() -> None:
    spans = trace(CHATML_TEMPLATE, "Who?", tools=(ADD,))

    tools = "".join(span.text for span in spans if span.origin == "tools")
    assert "adds two numbers" in tools
    assert "<|im_start|>" not in tools


def test_the_beginning_of_the_answer_comes_last() -> None:
    assert told(trace(CHATML_TEMPLATE, "Who?", prefix="It was"))[-1] == ("prefix", None, None, "It was")


@pytest.mark.parametrize("text", ["Who was it?" * 9, "\ue0f00,0\ue0f2"])
def test_a_template_that_defies_marks_and_a_text_that_holds_them_do_no_harm(text: str) -> None:
    spans = trace(SHORTENING, text)

    assert "".join(span.text for span in spans).endswith(text[:30])
