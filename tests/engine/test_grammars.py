"""Replies that keep to a grammar, on real engines."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from chat.domain.errors import InvalidInput
from chat.domain.messages import ChatMessage
from chat.engine.chat_template import PLAIN_STOP_STRINGS
from chat.engine.engine import LlamaEngine
from tests.engine.conftest import StartEngine, StartProcess
from tests.engine.talk import ask, hear
from tests.engine.tiny_gguf import CHATML_TEMPLATE, write_tiny_gguf

STARTER = Path(__file__).parents[2] / "models" / "starter.gguf"
DATE = 'root ::= [0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" [0-3] [0-9]'
WORDS = 'root ::= word (" " word){2,40} "."\nword ::= [a-z]{2,9}'
THINKING_TEMPLATE = CHATML_TEMPLATE.replace("assistant\n' }}{%- endif", "assistant\n<think>\n' }}{%- endif")


@pytest.mark.parametrize(
    "params", [{}, {"temperature": 1.0, "seed": 3}, {"temperature": 1.5, "top_k": 0, "seed": 4}]
)
@pytest.mark.parametrize(
    ("grammar", "pattern"),
    [
        (DATE, r"\d{4}-(0[1-9]|1[0-2])-[0-3]\d"),
        (WORDS, r"[a-z]{2,9}( [a-z]{2,9}){2,40}\."),
        ('root ::= "yes" | "no"', "yes|no"),
        ("root ::= [äöü🌻]{5}", "[äöü🌻]{5}"),
        ('root ::= "{" [^{}]{3,8} "}"', r"\{[^{}]{3,8}\}"),
    ],
)
def test_a_reply_keeps_to_its_grammar_and_ends_with_it(
    shared_engine: LlamaEngine, grammar: str, pattern: str, params: dict[str, float]
) -> None:
    heard = hear(shared_engine.submit(ask("hello", grammar=grammar, max_tokens=400, **params)))

    assert re.fullmatch(pattern, heard.text), heard.text
    assert heard.end.reason == "stop"


def test_a_grammar_that_allows_what_the_model_says_changes_nothing(shared_engine: LlamaEngine) -> None:
    free = hear(shared_engine.submit(ask("hello", temperature=1.0, seed=5)))
    held = hear(shared_engine.submit(ask("hello", temperature=1.0, seed=5, grammar="root ::= .*")))

    assert held.text.strip() == free.text.strip()


def test_the_model_ends_only_where_the_grammar_allows_it(start_engine: StartEngine, tmp_path: Path) -> None:
    engine = start_engine(write_tiny_gguf(tmp_path / "brief.gguf", end_bias=8.0))

    heard = [hear(engine.submit(ask(f"hello {i}", grammar=WORDS, max_tokens=400))).text for i in range(3)]

    assert all(re.fullmatch(r"[a-z]{2,9}( [a-z]{2,9}){2,40}\.", text) for text in heard)


def test_max_tokens_and_stop_strings_still_end_it(shared_engine: LlamaEngine) -> None:
    short = hear(shared_engine.submit(ask("hello", grammar=WORDS, max_tokens=5)))
    stopped = hear(shared_engine.submit(ask("hello", grammar=DATE, stop=("-",))))

    assert (short.end.reason, short.end.usage.completion_tokens) == ("length", 5)
    assert (stopped.end.reason, len(stopped.text)) == ("stop", 4)


@pytest.mark.parametrize(
    "text", ["<think>a", "</think>b", "<tool_call>{", '{"name": "a", "arguments": {}}', " \n "]
)
def test_what_looks_like_thinking_or_a_call_is_text(shared_engine: LlamaEngine, text: str) -> None:
    written = "".join(f"\\x{ord(character):02x}" for character in text)

    heard = hear(shared_engine.submit(ask("hello", grammar=f'root ::= "{written}"', max_tokens=100)))

    assert (heard.text, heard.reasoning, heard.calls) == (text, "", [])
    assert heard.state_names == ["reading", "writing"]


def test_thinking_that_the_prompt_began_is_over(start_engine: StartEngine, tmp_path: Path) -> None:
    engine = start_engine(write_tiny_gguf(tmp_path / "thinker.gguf", template=THINKING_TEMPLATE))

    heard = hear(engine.submit(ask("hello", grammar=DATE)))

    assert re.fullmatch(r"\d{4}-\d\d-\d\d", heard.text)
    assert engine.count_tokens(ask("hello", grammar=DATE)) > engine.count_tokens(ask("hello"))


def test_control_tokens_spell_no_text(start_engine: StartEngine, tmp_path: Path) -> None:
    engine = start_engine(write_tiny_gguf(tmp_path / "brief.gguf", end_bias=8.0))

    heard = hear(engine.submit(ask("hello", grammar='root ::= "<|im_end|>" | "<|im_start|>"', max_tokens=60)))

    assert heard.text in ("<|im_end|>", "<|im_start|>")
    assert heard.end.usage.completion_tokens == len(heard.text)


class TestGoingOn:
    def test_a_prefix_is_gone_on_from(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(ask("hello", grammar=DATE, reply_prefix="2024-1")))

        assert re.fullmatch(r"[0-2]-[0-3]\d", heard.text)

    def test_a_complete_prefix_ends_at_once(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(ask("hello", grammar=DATE, reply_prefix="2024-12-24")))

        assert (heard.text, heard.end.reason) == ("", "stop")

    def test_a_prefix_that_does_not_fit_is_refused(self, shared_engine: LlamaEngine) -> None:
        with pytest.raises(InvalidInput, match="does not keep to the grammar"):
            hear(shared_engine.submit(ask("hello", grammar=DATE, reply_prefix="Well")))

    def test_after_a_crash_it_goes_on_within_the_grammar(self, start_process: StartProcess) -> None:
        engine = start_process()
        grammar = 'root ::= ("ab" [0-9]{3} "," | [c-f]{200} "."){200}'
        whole = hear(engine.submit(ask("hello", grammar=grammar, max_tokens=1900))).text
        generation = engine.submit(ask("hello", grammar=grammar, max_tokens=1900))

        before = hear(generation, until=lambda heard: len(heard.text) >= 150)
        os.kill(engine.pid, signal.SIGKILL)
        after = hear(generation)

        assert before.text + after.text == whole
        assert "restarting" in after.state_names


class TestRefused:
    @pytest.mark.parametrize(
        "grammar",
        [
            "root ::= ",
            "root ::= other",
            'root ::= root "a" | "b"',
            'root ::= b root\nb ::= c\nc ::= ""',
            "root ::= " + "(" * 10_000 + '"x"' + ")" * 10_000,
            'root ::= "x"{1,100000}',
            "root ::= a0\n"
            + "".join(f"a{i} ::= a{i + 1} b | a{i + 1}\n" for i in range(60))
            + 'a60 ::= "x"?\nb ::= "y"?',
            "\x00",
            "\ud83d",
        ],
        ids=["empty", "undefined", "left", "hidden-left", "deep", "repeats", "ambiguous", "nul", "surrogate"],
    )
    def test_a_bad_grammar_is_an_error_and_the_engine_lives_on(
        self, shared_engine: LlamaEngine, grammar: str
    ) -> None:
        if grammar == "root ::= ":
            assert hear(shared_engine.submit(ask("hello", grammar=grammar))).text == ""
        else:
            with pytest.raises(InvalidInput, match="grammar"):
                hear(shared_engine.submit(ask("hello", grammar=grammar)))

        assert hear(shared_engine.submit(ask("hello"))).end

    def test_one_that_turns_out_to_be_ambiguous_fails_only_its_own_reply(
        self, shared_engine: LlamaEngine
    ) -> None:
        grammar = 'root ::= a\na ::= . a "y" | . b "z"\nb ::= . a "y" | . b "z" | ""'
        neighbour = shared_engine.submit(ask("hello", max_tokens=200))

        with pytest.raises(InvalidInput, match="too many ways"):
            hear(shared_engine.submit(ask("hello", grammar=grammar, max_tokens=200)))
        assert hear(neighbour).end.reason == "length"

    def test_a_dead_end_is_told(self, shared_engine: LlamaEngine) -> None:
        with pytest.raises(InvalidInput, match="no token of this model can follow"):
            hear(shared_engine.submit(ask("hello", grammar='root ::= "ab" "\\uD800"')))


def test_the_plain_templates_stop_string_still_holds(start_engine: StartEngine, tmp_path: Path) -> None:
    engine = start_engine(
        write_tiny_gguf(tmp_path / "plain.gguf", template=None, special_tokens=("<s>", "</s>"))
    )

    heard = hear(engine.submit(ask("hello", grammar='root ::= "a\\nUser: b"')))

    assert PLAIN_STOP_STRINGS[0] == "\nUser:"
    assert heard.text == "a"


@pytest.mark.skipif(not STARTER.exists(), reason="the starter model is not there")
def test_the_starter_model_answers_by_choice(start_engine: StartEngine) -> None:
    engine = start_engine(STARTER, num_slots=2)
    history = (ChatMessage.of("user", "Hello!"), ChatMessage.of("assistant", "Hello! How can I help?"))

    grammar = 'root ::= ("Paris" | "Rome" | "Madrid") "."'
    heard = hear(
        engine.submit(ask("What is the capital of France?", history=history, grammar=grammar, system=""))
    )

    assert heard.text in ("Paris.", "Rome.", "Madrid.")
