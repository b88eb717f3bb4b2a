"""Prompts without a template: the model goes on after exactly this text."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from chat.domain.errors import ContextOverflow, InvalidInput
from chat.engine.chat_template import CHATML_TEMPLATE, ChatTemplate
from chat.engine.engine import LlamaEngine
from tests.engine.conftest import StartEngine, StartProcess
from tests.engine.talk import ask, complete, hear
from tests.engine.tiny_gguf import write_tiny_gguf


def test_no_template_is_put_around_it(shared_engine: LlamaEngine) -> None:
    assert shared_engine.count_tokens(complete("xyz")) == 3
    assert hear(shared_engine.submit(complete("xyz"))).end.usage.prompt_tokens == 3


def test_what_spells_a_control_token_is_text(shared_engine: LlamaEngine) -> None:
    assert shared_engine.count_tokens(complete("<|im_end|>")) == len("<|im_end|>")


def test_the_text_differs_from_that_of_the_rendered_chat(shared_engine: LlamaEngine) -> None:
    """The marks of the rendered prompt are no marks in a raw one."""
    rendered = ChatTemplate(CHATML_TEMPLATE).render(ask("hello").messages)

    chat, raw = hear(shared_engine.submit(ask("hello"))), hear(shared_engine.submit(complete(rendered)))

    assert raw.end.usage.prompt_tokens > chat.end.usage.prompt_tokens
    assert raw.text != chat.text


def test_the_begin_token_is_added_where_the_model_wants_it(start_engine: StartEngine, tmp_path: Path) -> None:
    engine = start_engine(write_tiny_gguf(tmp_path / "begins.gguf", adds_begin=True))

    assert engine.count_tokens(complete("xyz")) == 4
    assert engine.count_tokens(complete("")) == 1
    assert hear(engine.submit(complete(""))).text


def test_the_reply_is_text_as_it_comes(shared_engine: LlamaEngine) -> None:
    whole = hear(shared_engine.submit(complete("hello", max_tokens=60)))
    parts = hear(shared_engine.submit(complete("hello", max_tokens=60, reply_prefix=whole.text[:20])))

    assert (whole.reasoning, whole.calls) == ("", [])
    assert whole.text.startswith(whole.text[:20])
    assert parts.end.usage.prompt_tokens > whole.end.usage.prompt_tokens


def test_stop_strings_and_grammars_hold(shared_engine: LlamaEngine) -> None:
    whole = hear(shared_engine.submit(complete("hello"))).text
    stopped = hear(shared_engine.submit(complete("hello", stop=(whole[9:12],))))
    held = hear(shared_engine.submit(complete("hello", grammar='root ::= " <think>" [a-c]{4}')))

    assert stopped.text == whole[: whole.index(whole[9:12])]
    assert held.text.startswith(" <think>")
    assert len(held.text) == 12


def test_an_empty_prompt_is_refused(shared_engine: LlamaEngine) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        hear(shared_engine.submit(complete("")))


def test_a_prompt_that_is_too_long_is_refused_with_the_counts(shared_engine: LlamaEngine) -> None:
    with pytest.raises(ContextOverflow, match=r"3000 tokens.*2048"):
        hear(shared_engine.submit(complete("x" * 3000)))


def test_lone_surrogates_and_nul_do_no_harm(shared_engine: LlamaEngine) -> None:
    assert hear(shared_engine.submit(complete("\ud83d and \x00"))).end


def test_cached_prompts_are_used_again(shared_engine: LlamaEngine) -> None:
    prompt = "a rather long beginning of a text that is completed twice " * 4
    first = hear(shared_engine.submit(complete(prompt)))
    second = hear(shared_engine.submit(complete(prompt)))

    assert second.text == first.text
    assert second.end.usage.cached_tokens > 100


def test_it_crosses_the_border_and_survives_a_crash(start_process: StartProcess) -> None:
    engine = start_process()
    assert engine.count_tokens(complete("xyz")) == 3
    whole = hear(engine.submit(complete("hello", max_tokens=1200))).text
    generation = engine.submit(complete("hello", max_tokens=1200))

    before = hear(generation, until=lambda heard: len(heard.text) >= 150)
    os.kill(engine.pid, signal.SIGKILL)

    assert before.text + hear(generation).text == whole
