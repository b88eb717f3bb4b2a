"""Log-probabilities come with the text of their tokens, on real engines."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from chat.domain.errors import InvalidInput
from chat.domain.events import TokenLogprob
from chat.domain.messages import ToolCall
from chat.engine.engine import LlamaEngine
from chat.engine.logprobs import LogprobTrail, likeliest
from chat.engine.pieces import CallPiece, Piece, ReasoningPiece, TextPiece
from tests.engine.conftest import StartEngine, StartProcess
from tests.engine.talk import Heard, ask, complete, hear
from tests.engine.tiny_gguf import write_tiny_gguf


def written(heard: Heard) -> str:
    return b"".join(bytes(each.token_bytes) for each in heard.logprobs).decode("utf-8", "replace")


class TestEngine:
    def test_each_token_of_the_text_has_one(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(complete("hello", top_logprobs=3, max_tokens=30)))

        assert written(heard) == heard.text
        assert len(heard.logprobs) == heard.end.usage.completion_tokens == 30
        for each in heard.logprobs:
            assert each.token.encode() == bytes(each.token_bytes)
            assert -50 < each.logprob <= 0
            assert [logprob for _, logprob in each.top] == sorted(
                (each.top[i][1] for i in range(3)), reverse=True
            )
            assert each.top[0] == (each.token, each.logprob), "at temperature 0 the likeliest is taken"

    def test_the_likeliest_add_up_to_no_more_than_one(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(ask("hello", top_logprobs=20, max_tokens=5)))

        for each in heard.logprobs:
            assert 0.3 < sum(math.exp(logprob) for _, logprob in each.top) <= 1.001

    def test_they_do_not_depend_on_the_sampling(self, shared_engine: LlamaEngine) -> None:
        plain = hear(shared_engine.submit(ask("hello", top_logprobs=2, max_tokens=1)))
        hot = hear(
            shared_engine.submit(
                ask("hello", top_logprobs=2, max_tokens=1, temperature=2.0, presence_penalty=2.0, seed=1)
            )
        )
        held = hear(shared_engine.submit(ask("hello", top_logprobs=2, max_tokens=1, grammar='root ::= "!"')))

        assert plain.logprobs[0].top == hot.logprobs[0].top == held.logprobs[0].top
        assert held.logprobs[0].token == "!"
        assert held.logprobs[0].logprob < plain.logprobs[0].logprob

    def test_none_are_asked_for_and_none_come(self, shared_engine: LlamaEngine) -> None:
        assert hear(shared_engine.submit(ask("hello"))).logprobs == []

    def test_zero_asks_for_no_alternatives(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(ask("hello", top_logprobs=0)))

        assert written(heard).strip() == heard.text.strip()
        assert {each.top for each in heard.logprobs} == {()}

    def test_the_text_is_the_same_with_and_without(self, shared_engine: LlamaEngine) -> None:
        texts = {
            hear(shared_engine.submit(ask("hello", top_logprobs=wanted))).text for wanted in (None, 0, 5)
        }

        assert len(texts) == 1

    def test_what_a_stop_string_cuts_off_has_none(self, shared_engine: LlamaEngine) -> None:
        whole = hear(shared_engine.submit(complete("hello", max_tokens=40))).text
        stop = whole[12:17]

        heard = hear(shared_engine.submit(complete("hello", stop=(stop,), top_logprobs=1)))

        shown = written(heard)
        assert heard.text == whole[: whole.index(stop)]
        assert heard.text.startswith(shown)
        assert len(heard.text) - len(shown) < 5

    def test_half_characters_come_with_the_whole_one(self, start_engine: StartEngine, tmp_path: Path) -> None:
        engine = start_engine(write_tiny_gguf(tmp_path / "bytes.gguf", alphabet="bytes"))

        heard = hear(engine.submit(complete("hello", top_logprobs=1, max_tokens=80)))

        assert len(heard.logprobs) == 80
        assert written(heard) == heard.text

    def test_the_end_token_has_none(self, start_engine: StartEngine, tmp_path: Path) -> None:
        engine = start_engine(write_tiny_gguf(tmp_path / "brief.gguf", end_bias=6.0))

        heard = hear(engine.submit(complete("hello", top_logprobs=0, max_tokens=400)))

        assert heard.end.reason == "stop"
        assert len(heard.logprobs) == heard.end.usage.completion_tokens

    @pytest.mark.parametrize("wanted", [-1, 21])
    def test_bounds_are_told(self, shared_engine: LlamaEngine, wanted: int) -> None:
        with pytest.raises(InvalidInput, match="from 0 to 20"):
            hear(shared_engine.submit(ask("hello", top_logprobs=wanted)))

    def test_they_cross_the_border_and_survive_a_crash(self, start_process: StartProcess) -> None:
        engine = start_process()
        whole = hear(engine.submit(complete("hello", top_logprobs=2, max_tokens=1200)))
        generation = engine.submit(complete("hello", top_logprobs=2, max_tokens=1200))

        before = hear(generation, until=lambda heard: len(heard.text) >= 150)
        os.kill(engine.pid, signal.SIGKILL)
        after = hear(generation)

        tokens = [each.token for each in before.logprobs + after.logprobs]
        assert before.text + after.text == whole.text
        assert tokens == [each.token for each in whole.logprobs]


class TestTrail:
    """Which piece a token's logprob comes with."""

    WORDS = (
        "<think>",
        "hm",
        "\n",
        "</think>",
        "\n\n",
        "Yes",
        " it",
        " is",
        "<tool_call>",
        "{}",
        "</tool_call>",
        "é",
    )

    def trail(self, *words: str) -> LogprobTrail:
        trail = LogprobTrail(0, lambda token: self.WORDS[token].encode())
        for word in words:
            token = self.WORDS.index(word)
            trail.measure(np.zeros(len(self.WORDS), dtype=np.float32), token)
            trail.push(token)
        return trail

    def tokens(self, piece: Piece) -> list[str]:
        return [each.token for each in piece.logprobs] if isinstance(piece, TextPiece) else []

    def test_markers_and_thinking_have_none(self) -> None:
        trail = self.trail("<think>", "hm", "\n", "</think>", "\n\n", "Yes", " it")

        trail.annotate(ReasoningPiece("hm"))

        assert self.tokens(trail.annotate(TextPiece("Yes it"))) == ["Yes", " it"]

    def test_a_call_has_none(self) -> None:
        trail = self.trail("Yes", "\n", "<tool_call>", "{}", "</tool_call>")

        shown = self.tokens(trail.annotate(TextPiece("Yes")))
        trail.annotate(CallPiece(ToolCall("c", "f", {})))
        trail.push(self.WORDS.index(" is"))

        assert shown == ["Yes"]
        assert self.tokens(trail.annotate(TextPiece("is"))) == []

    def test_space_that_is_not_shown_does_not_matter(self) -> None:
        assert self.tokens(self.trail(" it").annotate(TextPiece("it"))) == [" it"]

    def test_a_token_in_two_pieces_comes_with_its_end(self) -> None:
        trail = self.trail("Yes", " it")

        assert self.tokens(trail.annotate(TextPiece("Y"))) == []
        assert self.tokens(trail.annotate(TextPiece("es "))) == ["Yes"]
        assert self.tokens(trail.annotate(TextPiece("it"))) == [" it"]


def test_likeliest_come_in_order() -> None:
    row = np.array([0.0, 3.0, -1.0, 2.0], dtype=np.float32)

    assert likeliest(row, 0) == []
    assert likeliest(row, 2) == [1, 3]
    assert likeliest(row, 9) == [1, 3, 0, 2]


def test_a_logprob_is_the_logarithm_of_the_probability() -> None:
    trail = LogprobTrail(2, lambda token: b"abcd"[token : token + 1])
    row = np.log(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32)) + 7

    trail.measure(row, 1)
    trail.push(1)
    piece = trail.annotate(TextPiece("b"))

    assert isinstance(piece, TextPiece)
    (found,) = piece.logprobs
    assert isinstance(found, TokenLogprob)
    assert (found.token, found.token_bytes) == ("b", (98,))
    assert found.logprob == pytest.approx(math.log(0.2), abs=1e-5)
    assert [name for name, _ in found.top] == ["d", "c"]
