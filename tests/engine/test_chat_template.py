"""Prompts: the templates of widely used models, and what becomes of what a template does not understand."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from chat.domain.errors import TemplateFailed
from chat.domain.messages import ChatMessage, ReasoningPart, TextPart, ToolCall, ToolResult, ToolSpec
from chat.engine.chat_template import ChatTemplate, template_source
from tests.engine.shipped_templates import NAMES, template
from tests.engine.tiny_gguf import CHATML_TEMPLATE, ENDLESS_TEMPLATE, RAISING_TEMPLATE

QWEN, LLAMA, MISTRAL, GEMMA, GPT_OSS = (
    "Qwen-Qwen3-0.6B",
    "meta-llama-Llama-3.1-8B-Instruct",
    "mistralai-Mistral-Nemo-Instruct-2407",
    "google-gemma-2-2b-it",
    "openai-gpt-oss-120b",
)

WEATHER = ToolSpec(
    "get_weather",
    "Weather of a city",
    MappingProxyType({"type": "object", "properties": {"city": {"type": "string", "description": "Which"}}}),
)
SYSTEM = ChatMessage.of("system", "Be brief.")
QUESTION = ChatMessage.of("user", "How is the weather?")
LAST = ChatMessage.of("user", "Thanks & bye <3")
ROUNDS = ChatMessage(
    "assistant",
    (
        ReasoningPart("I must look."),
        ToolCall("1", "get_weather", MappingProxyType({"city": 'Par"is'})),
        ToolCall("2", "get_weather", {"city": "Röm"}),
        ToolResult("1", "get_weather", "drizzle"),
        ToolResult("2", "get_weather", "sunshine"),
        TextPart("Some of each."),
    ),
)


def in_order(text: str, *words: str) -> bool:
    places = [text.find(word) for word in words]
    return -1 not in places and places == sorted(places)


@pytest.mark.parametrize("name", NAMES)
def test_every_common_template_shows_the_conversation(name: str) -> None:
    messages = [SYSTEM, QUESTION, ChatMessage.of("assistant", "Fine."), LAST]

    prompt = template(name).render(messages)

    assert in_order(prompt, "How is the weather?", "Fine.", "Thanks & bye <3")
    assert "Be brief." in prompt


@pytest.mark.parametrize("name", NAMES)
def test_every_common_template_shows_tools_calls_and_results(name: str) -> None:
    prompt = template(name).render([SYSTEM, QUESTION, ROUNDS, LAST], [WEATHER])

    assert "Weather of a city" in prompt
    assert "Röm" in prompt or "R\\u00f6m" in prompt
    assert in_order(prompt, "How is the weather?", "drizzle", "sunshine", "Some of each.", "Thanks & bye <3")


def test_prompts_end_where_the_assistant_begins() -> None:
    assert template(QWEN).render([QUESTION]).endswith("<|im_start|>assistant\n")


def test_a_conversation_only_grows() -> None:
    """The prompt of one turn is the beginning of the next: this is what prefix reuse lives on."""
    chat = template("Qwen-Qwen2.5-7B-Instruct")

    first = chat.render([SYSTEM, QUESTION])
    second = chat.render([SYSTEM, QUESTION, ChatMessage.of("assistant", "Fine."), LAST])

    assert second.startswith(first)


def test_qwen_gets_calls_with_arguments_as_an_object() -> None:
    prompt = template(QWEN).render([QUESTION, ROUNDS], [WEATHER])

    call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Röm"}}\n</tool_call>'
    assert call in prompt
    assert "<tool_response>\nsunshine\n</tool_response>" in prompt
    assert "<think>\nI must look.\n</think>" in prompt


def test_llama_gets_one_call_at_a_time() -> None:
    prompt = template(LLAMA).render([QUESTION, ROUNDS], [WEATHER])

    assert in_order(prompt, '"Par\\"is"', "drizzle", '"Röm"', "sunshine", "Some of each.")


def test_mistral_gets_ids_of_nine_letters() -> None:
    prompt = template(MISTRAL).render([QUESTION, ROUNDS, LAST], [WEATHER])

    calls = json.loads(prompt.split("[TOOL_CALLS]")[1].split("</s>")[0])
    assert [call["id"] for call in calls] == ["call00000", "call00001"]
    assert '"content": sunshine, "call_id": "call00001"' in prompt


def test_calls_of_two_replies_with_the_same_id_keep_their_results() -> None:
    def reply(city: str, weather: str) -> ChatMessage:
        parts = (ToolCall("1", "get_weather", {"city": city}), ToolResult("1", "get_weather", weather))
        return ChatMessage("assistant", (*parts, TextPart("Done.")))

    prompt = template(LLAMA).render([QUESTION, reply("Rome", "sunshine"), LAST, reply("Oslo", "snow"), LAST])

    assert in_order(prompt, "Rome", "sunshine", "Oslo", "snow")


def test_gpt_oss_thinks_before_a_call_and_not_in_the_past() -> None:
    prompt = template(GPT_OSS).render([QUESTION, ChatMessage("assistant", ROUNDS.parts[:5])], [WEATHER])

    assert "<|channel|>analysis<|message|>I must look.<|end|>" in prompt
    assert '<|channel|>commentary json<|message|>{"city": "Röm"}<|call|>' in prompt


def test_without_a_system_role_the_first_question_carries_it() -> None:
    prompt = template(GEMMA).render([SYSTEM, QUESTION, ChatMessage.of("assistant", "Fine."), LAST])

    assert prompt.startswith("<s><start_of_turn>user\nBe brief.\n\nHow is the weather?<end_of_turn>")


def test_strict_alternation_gets_neighbours_merged() -> None:
    prompt = template(GEMMA).render([QUESTION, LAST])

    assert "How is the weather?\n\nThanks & bye <3<end_of_turn>" in prompt


def test_a_template_without_tools_gets_them_in_words() -> None:
    prompt = ChatTemplate(CHATML_TEMPLATE).render([SYSTEM, QUESTION, ROUNDS, LAST], [WEATHER])

    assert prompt.startswith("<|im_start|>system\nBe brief.\n\n# Tools\n")
    assert '{"name": <function-name>, "arguments": <args-json-object>}' in prompt
    assert '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Röm"}}\n</tool_call>' in prompt
    assert "<|im_start|>user\n<tool_response>\nsunshine\n</tool_response><|im_end|>" in prompt


def test_arguments_become_text_where_the_template_adds_them_to_text() -> None:
    source = (
        "{% for t in tools or [] %}{{ t.function.description }}{% endfor %}"
        "{% for m in messages %}{{ m.content }}"
        "{% for c in m.tool_calls or [] %}{{ '[' + c.function.arguments + ']' }}{% endfor %}{% endfor %}"
    )

    assert '[{"city": "Röm"}]' in ChatTemplate(source).render([QUESTION, ROUNDS], [WEATHER])


def test_content_is_none_where_the_template_insists() -> None:
    source = (
        "{% for t in tools or [] %}{{ t.function.description }}{% endfor %}"
        "{% for m in messages %}{% if m.content is none %}{{ m.tool_calls | tojson }}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    )
    spoken = ChatMessage("assistant", (TextPart("I look."), *ROUNDS.parts))

    assert in_order(ChatTemplate(source).render([QUESTION, spoken], [WEATHER]), "I look.", "Röm", "sunshine")


def test_all_system_texts_stand_first() -> None:
    prompt = ChatTemplate(CHATML_TEMPLATE).render([SYSTEM, QUESTION, ChatMessage.of("system", "In French.")])

    assert prompt.startswith("<|im_start|>system\nBe brief.\n\nIn French.<|im_end|>\n<|im_start|>user")


def test_a_failing_template_speaks_for_itself() -> None:
    with pytest.raises(TemplateFailed, match="Only texts about gardens"):
        ChatTemplate(RAISING_TEMPLATE).render([QUESTION])


def test_an_endless_template_is_tried_once() -> None:
    chat = ChatTemplate(ENDLESS_TEMPLATE)
    for _ in range(5):
        with pytest.raises(TemplateFailed, match="it ran for longer"):
            chat.render([QUESTION])


def test_a_file_without_a_template_gets_one_by_its_vocabulary() -> None:
    chatml = ChatTemplate(template_source(None, {"<|im_start|>"}.__contains__))
    plain = ChatTemplate(template_source(" ", lambda _: False))

    assert chatml.render([QUESTION]) == (
        "<|im_start|>user\nHow is the weather?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert plain.render([SYSTEM, QUESTION]) == "Be brief.\nUser: How is the weather?\nAssistant:"
    assert (chatml.stop_strings, plain.stop_strings) == ((), ("\nUser:",))


def test_a_long_conversation_renders_in_no_time() -> None:
    messages = [QUESTION, ChatMessage.of("assistant", "word " * 200)] * 500

    assert len(template(QWEN).render(messages)) > 500_000


def test_a_megabyte_of_emoji_is_no_reason_to_fail() -> None:
    assert "🧡🧡" in template(QWEN).render([ChatMessage.of("user", "🧡" * 250_000)])
