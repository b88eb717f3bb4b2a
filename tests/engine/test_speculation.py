"""Drafts: several tokens in one step where the text repeats itself, and the same text as without them."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain.messages import ChatMessage
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.backend import Logits
from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from chat.engine.pieces import TextPiece
from chat.engine.sequence import Sequence
from chat.engine.speculation import MAX_SEQUENCES, Speculator
from tests.conftest import STARTER
from tests.engine.desk import TEMPLATE, Desk
from tests.engine.fake_backend import LETTERS, VOCAB_SIZE, FakeBackend
from tests.engine.talk import ask

CONTEXT_TOKENS = 4096
NUM_WRITTEN = 60
NUM_BACK = 25


def next_token(tokens: list[int]) -> int:
    """Mostly what stood `NUM_BACK` tokens before, now and then a letter of its own."""
    digest = zlib.crc32(bytes(tokens))
    return LETTERS[digest % len(LETTERS)] if digest % 9 == 0 else tokens[-NUM_BACK]


class EchoBackend(FakeBackend):
    """Its model repeats what was said."""

    def row_after(self, tokens: list[int]) -> Logits:
        return np.eye(VOCAB_SIZE, dtype=np.float32)[next_token(tokens)]


def echo_of(text: str) -> str:
    tokens = list(TEMPLATE.render(ask(text).messages).encode())
    num_prompt = len(tokens)
    while len(tokens) < num_prompt + NUM_WRITTEN:
        tokens.append(next_token(tokens))
    return bytes(tokens[num_prompt:]).decode()


def test_a_text_that_repeats_itself_takes_fewer_steps_than_tokens() -> None:
    num_steps = []
    for can_draft in (True, False):
        desk = Desk(EchoBackend(can_drop_tail=can_draft))
        job = desk.add("the old man and the sea", max_tokens=NUM_WRITTEN)
        desk.run()
        assert desk.texts[job] == echo_of("the old man and the sea")
        num_steps.append(len(desk.backend.batches))

    assert num_steps[0] < num_steps[1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a rose", "a rose is a rose is a rose", "x" * 90]), st.integers(0, 30))
    )
)
def test_drafts_change_no_text_whoever_comes_and_goes(plan: list[tuple[str, int]]) -> None:
    desk = Desk(EchoBackend())
    texts: dict[int, str] = {}
    for text, num_steps in plan:
        texts[desk.add(text, max_tokens=NUM_WRITTEN)] = text
        for _ in range(num_steps):
            desk.loop.step()
            desk.loop.check_integrity()

    desk.run()

    assert {job: desk.texts[job] for job in texts} == {job: echo_of(text) for job, text in texts.items()}


def test_the_answer_is_the_same_as_that_of_one_token_a_step() -> None:
    """A small model computes exactly; a reply that is computed alone makes no drafts."""
    engine = LlamaEngine(STARTER, EngineConfig(num_slots=2))
    try:
        question = ChatMessage.of("user", "Repeat: one two three one two three one two three one two three")
        params = SamplingParams(temperature=0.8, seed=7, max_tokens=60)
        texts = [
            text_of(engine, GenerationRequest((question,), params, is_alone=is_alone))
            for is_alone in (False, True)
        ]
    finally:
        engine.close()

    assert texts[0]
    assert texts[0] == texts[1]


def text_of(engine: LlamaEngine, request: GenerationRequest) -> str:
    generation = engine.submit(request)
    text = ""
    while (piece := generation.next(timeout_s=60)) is not None:
        text += piece.text if isinstance(piece, TextPiece) else ""
    return text


def writing(text: str) -> Sequence:
    return Sequence(id=1, scope="", params=SamplingParams(), token_ids=list(text.encode()), num_prompt=1)


@pytest.fixture
def speculator() -> Speculator:
    """One that knows how long a step without drafts takes."""
    speculator = Speculator(CONTEXT_TOKENS)
    speculator.record([writing("")], elapsed_s=1.0)
    return speculator


class TestDrafts:
    def test_it_goes_on_as_the_text_did_before(self, speculator: Speculator) -> None:
        sequence = writing("the red fox saw the re")

        speculator.draft([sequence])

        assert bytes(sequence.draft) == b"d f"

    def test_it_goes_round_where_the_text_does(self, speculator: Speculator) -> None:
        sequence = writing("abababab")

        speculator.draft([sequence])

        assert bytes(sequence.draft) == b"aba"

    @pytest.mark.parametrize("text", ["", "ab", "all of it new"])
    def test_new_text_has_none(self, speculator: Speculator, text: str) -> None:
        sequence = writing(text)

        speculator.draft([sequence])

        assert not sequence.draft

    def test_it_ends_where_the_context_does(self) -> None:
        speculator = Speculator(context_tokens=9)
        speculator.record([writing("")], elapsed_s=1.0)
        sequence = writing("abcdabcd")

        speculator.draft([sequence])

        assert bytes(sequence.draft) == b"a"

    def test_it_ends_before_a_picture(self, speculator: Speculator) -> None:
        sequence = writing("abc")
        sequence.token_ids += [ord("d"), -5, *b"abc"]

        speculator.draft([sequence])

        assert bytes(sequence.draft) == b"d"

    def test_many_replies_have_none(self, speculator: Speculator) -> None:
        sequences = [writing("abcabcabc") for _ in range(MAX_SEQUENCES + 1)]
        speculator.record(sequences, elapsed_s=1.0)

        speculator.draft(sequences)

        assert not any(sequence.draft for sequence in sequences)

    def test_it_grows_while_it_is_right(self, speculator: Speculator) -> None:
        sequence = writing("abc" * 9)
        lengths = []
        for _ in range(3):
            speculator.draft([sequence])
            lengths.append(len(sequence.draft))
            speculator.record([sequence], elapsed_s=1.5)
            speculator.judge(sequence, lengths[-1], lengths[-1])

        assert lengths == [3, 7, 7]

    def test_it_pauses_when_it_costs_more_than_it_saves(self, speculator: Speculator) -> None:
        sequence = writing("abc" * 9)
        speculator.draft([sequence])
        speculator.record([sequence], elapsed_s=1.5)
        speculator.judge(sequence, len(sequence.draft), 0)

        speculator.draft([sequence])
        assert not sequence.draft

        sequence.token_ids += b"abc" * 20
        speculator.draft([sequence])
        assert sequence.draft
