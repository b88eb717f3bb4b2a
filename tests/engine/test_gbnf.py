"""Grammars: what is read, what is refused, and what a text may be. llama.cpp's own reading is the measure."""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_cpp import llama_grammar

from chat.domain.errors import InvalidInput
from chat.engine.config import EngineConfig
from chat.engine.gbnf import parse_grammar
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.llama_library import is_null, library, open_model, tokenize

EXPRESSION = 'root ::= term ([-+] term)*\nterm ::= [0-9]+ | "(" root ")"'


def matcher(grammar: str) -> GrammarMatcher:
    return GrammarMatcher(parse_grammar(grammar))


def fits(grammar: str, text: str) -> bool:
    """True when `text` is a whole reply."""
    way = matcher(grammar)
    return way.accept(text.encode()) and way.may_end


def begins(grammar: str, text: str) -> bool:
    """True when a reply may begin with `text`."""
    return matcher(grammar).accept(text.encode())


@pytest.mark.parametrize(
    ("grammar", "good", "bad"),
    [
        ('root ::= "yes" | "no"', ["yes", "no"], ["", "y", "yesno", "maybe"]),
        ('root ::= "a"{2,3}', ["aa", "aaa"], ["a", "aaaa"]),
        ('root ::= "ab"{2}', ["abab"], ["ab", "abb"]),
        ('root ::= "a"{2,} "b"?', ["aa", "aaaaab"], ["a", "ab"]),
        ('root ::= ("a" | "b")*', ["", "abba"], ["c"]),
        ('root ::= ("a"? "b"?)* "c"', ["c", "bac"], ["ca"]),
        ("root ::= [^a-c\\n]+", ["xyz", "ü🌻"], ["a", "x\n", ""]),
        ("root ::= [a\\-z\\]]+ [-x]", ["a-]z-", "]x"], ["b-"]),
        ('root ::= "\\x41\\u00e4\\U0001F33B\\t\\"\\\\"', ['Aä🌻\t"\\'], ["A"]),
        ("root ::= . .", ["ab", "🌻\n"], ["a", "abc"]),
        ('root ::= a-1 # comment "\na-1 ::= (\n "x"\n | # more\n "y"\n)\r\n', ["x", "y"], ["z"]),
        ('root ::= "a" |\n "b"\n  | "c"', ["a", "b", "c"], ["d"]),
        ('root ::= ""', [""], ["a"]),
        (EXPRESSION, ["1", "12+(3-4)", "((7))"], ["1+", "(1", "-1"]),
    ],
)
def test_what_fits(grammar: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not fits(grammar, text)] == []
    assert [text for text in bad if fits(grammar, text)] == []


@pytest.mark.parametrize(
    ("grammar", "words"),
    [
        ("", "no rule “root”"),
        ("# nothing", "no rule “root”"),
        ('start ::= "a"', "no rule “root”"),
        ("root ::= other", "does not define its rule “other”"),
        ('root ::= root "a" | "b"', "“root” begins with itself"),
        ('root ::= a\na ::= b\nb ::= a "x" | "y"', "begins with itself"),
        ('root ::= b root "x" | "y"\nb ::= c\nc ::= ""', "“root” begins with itself"),
        ("root ::= root", "has no end"),
        ('root ::= "a" root', "has no end"),
        ("root ::= [^\\x00-\\U0010FFFF]", "has no end"),
        ('root ::= "a', "Line 1 of the grammar"),
        ('root ::= "a"\nroot ::= "b"', "Line 2 of the grammar: “root” is defined twice"),
        ('root ::= "a" )', "not expected"),
        ('root ::= ("a"', "“)” is missing"),
        ("root ::= * ", "nothing to repeat"),
        ('root ::= "a"{3,2}', "runs backwards"),
        ("root ::= [z-a]", "runs backwards"),
        ('root ::= "\\q"', "no escape"),
        ('root ::= "\\UFFFFFFFF"', "no character"),
        ("root ::= <think>", "makes no sense"),
        ("root ::= <[12]>", "makes no sense"),
        ('root = "a"', "makes no sense"),
        ('root "a"', "“::=” is expected"),
        ('root ::= "a"\x00', "makes no sense"),
        ('root ::= "a"{1,100000}', "more than 2000 times"),
        ('root ::= "a"{99999999999999999999}', "makes no sense"),
        ("root ::= " + '"ab"{0,2000} ' * 40, "too large"),
        ("root ::= " + "(" * 20_000 + '"x"' + ")" * 20_000, "brackets are open"),
        ("root ::= " + "(" * 50_000, "brackets are open"),
        ('root ::= "' + "x" * 70_000 + '"', "70,011 characters"),
    ],
)
def test_what_cannot_be_used_is_named(grammar: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(words)):
        parse_grammar(grammar)


class TestAmbiguity:
    """What would take llama.cpp exponential time or memory."""

    def test_rules_that_repeat_their_alternatives_cost_nothing(self) -> None:
        steps = "".join(f"a{i} ::= a{i + 1} | a{i + 1}\n" for i in range(1000))

        assert fits(f'root ::= a0\n{steps}a1000 ::= "x"', "x")

    def test_a_text_with_too_many_readings_is_refused_in_time(self) -> None:
        way = matcher('root ::= a\na ::= "x" a "y" | "x" b "z"\nb ::= "x" a "y" | "x" b "z" | ""')
        started_at = time.monotonic()

        with pytest.raises(InvalidInput, match="too many ways"):
            way.accept(b"x" * 1000)
        assert time.monotonic() - started_at < 3.0

    def test_optional_parts_that_multiply_are_refused(self) -> None:
        with pytest.raises(InvalidInput, match="too many ways"):
            matcher('root ::= c{99}\nc ::= b{99}\nb ::= a{99}\na ::= "x"?')

    def test_long_chains_of_rules_do_no_harm(self) -> None:
        chain = "".join(f"a{i} ::= a{i + 1}\n" for i in range(3000))

        assert fits(f'root ::= a0\n{chain}a3000 ::= "x"', "x")

    def test_deep_brackets_in_a_text_do_no_harm(self) -> None:
        way = matcher(EXPRESSION)

        assert way.accept(b"(" * 20_000 + b"1" + b")" * 20_000)
        assert way.may_end


class TestMatcher:
    def test_characters_may_come_in_parts(self) -> None:
        way = matcher("root ::= [🌻ä]+")

        assert way.accept("🌻".encode()[:2])
        assert not way.may_end
        assert way.accept("🌻".encode()[2:] + b"\xc3")
        assert not way.allows(b"\xbc")
        assert way.accept(b"\xa4")
        assert way.may_end

    @pytest.mark.parametrize("data", [b"\xff", b"\x80", b"\xc3\xc3", b"\xed\xa0", b"\xf0\x9f\x8d"])
    def test_bytes_that_become_no_allowed_character_are_refused(self, data: bytes) -> None:
        assert not matcher("root ::= [ -~🌻ä]").allows(data)

    def test_a_refusal_changes_nothing(self) -> None:
        way = matcher('root ::= "ab"')

        assert not way.accept(b"ax")
        assert way.accept(b"ab")

    def test_it_is_finished_when_nothing_may_follow(self) -> None:
        open_end, closed = matcher("root ::= [0-9]+"), matcher('root ::= "a"+ "b"')
        open_end.accept(b"1")
        closed.accept(b"ab")

        assert (open_end.may_end, open_end.is_finished) == (True, False)
        assert (closed.may_end, closed.is_finished) == (True, True)

    @pytest.mark.parametrize("grammar", ["root ::= [a-f] | [^ -~]", 'root ::= "é" | "🌻" | "\\n"'])
    def test_first_bytes_leave_out_nothing_that_is_allowed(self, grammar: str) -> None:
        way = matcher(grammar)

        allowed = [byte for byte in range(256) if way.allows(bytes([byte]))]

        assert set(allowed) <= set(way.first_bytes().nonzero()[0].tolist())

    def test_a_long_text_fills_no_memory(self) -> None:
        way = matcher('root ::= "[" [a-z]{0,900} "]" root | "."')

        for _ in range(400):
            assert way.accept(b"[" + b"x" * 900 + b"]")

        assert len(way._stacks) < 60_000
        assert way.accept(b".")


class LlamaGrammar:
    """What llama.cpp's own grammar sampler says to the same text, byte tokens only."""

    def __init__(self, vocab: object, grammar: str) -> None:
        self._vocab = vocab
        self._sampler = library.llama_sampler_init_grammar(vocab, grammar.encode(), b"root")
        assert not is_null(self._sampler)

    def fits(self, text: str) -> tuple[int, bool]:
        """How many characters it takes, and whether it may end there."""
        end = library.llama_vocab_eos(self._vocab)
        for place, character in enumerate(text):
            (token,) = tokenize(self._vocab, character, add_special=False, parse_special=False)
            if not self._allows(token):
                return place, self._allows(end)
            library.llama_sampler_accept(self._sampler, token)
        return len(text), self._allows(end)

    def _allows(self, token: int) -> bool:
        candidates = (library.llama_token_data * 1)(library.llama_token_data(token, 0.0, 0.0))
        array = library.llama_token_data_array(candidates, 1, -1, False)
        library.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return candidates[0].logit == 0.0

    def close(self) -> None:
        library.llama_sampler_free(self._sampler)


@pytest.fixture(scope="module")
def vocab(tiny: Path) -> Iterator[object]:
    model = open_model(tiny, EngineConfig(num_threads=1))
    yield library.llama_model_get_vocab(model)
    library.llama_model_free(model)


terminals = st.sampled_from(['"a"', '"b"', "[ab]", "[^a]", '"ab"', ".", "rest"])
items = st.tuples(terminals, st.sampled_from(["", "?", "*", "+", "{2}", "{1,3}", "{2,}"])).map("".join)
sequences = st.lists(items, min_size=1, max_size=3).map(" ".join)
choices = st.lists(sequences, min_size=1, max_size=3).map(" | ".join)
groups = st.tuples(sequences, choices, st.sampled_from(["?", "*", "+", ""])).map(
    "{0[0]} ({0[1]}){0[2]}".format
)


@settings(max_examples=150, deadline=None)
@given(st.lists(groups, min_size=1, max_size=2).map(" | ".join), st.text("abc", max_size=8))
def test_it_reads_grammars_as_llama_cpp_does(vocab: object, rule: str, text: str) -> None:
    grammar = f'root ::= {rule}\nrest ::= "c" root | "c"'
    theirs = LlamaGrammar(vocab, grammar)
    try:
        num_taken, may_end = theirs.fits(text)
    finally:
        theirs.close()
    way = matcher(grammar)

    taken = (
        [character for character in text if way.accept(character.encode())]
        if num_taken == len(text)
        else None
    )

    if taken is not None:
        assert (len(taken), way.may_end) == (len(text), may_end)
    else:
        assert begins(grammar, text[:num_taken])
        assert not begins(grammar, text[: num_taken + 1])


@pytest.mark.parametrize(
    "name", ["JSON_GBNF", "CHESS_GBNF", "C_GBNF", "ARITHMETIC_GBNF", "JAPANESE_GBNF", "LIST_GBNF"]
)
def test_the_grammars_that_come_with_llama_cpp_can_be_read(name: str) -> None:
    matcher(getattr(llama_grammar, name))
