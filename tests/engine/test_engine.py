"""LlamaEngine on a real, tiny model."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from chat.domain.errors import (
    ChatError,
    EngineFailed,
    Interrupted,
    ModelUnreadable,
    ModelUnsupported,
    Overloaded,
    TemplateFailed,
)
from chat.domain.messages import ChatMessage
from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from tests.engine.conftest import StartEngine
from tests.engine.talk import ask, hear, is_writing
from tests.engine.tiny_gguf import HOSTILE_TEMPLATE, RAISING_TEMPLATE, write_tiny_gguf

QUESTIONS = [f"question {i} about {'roses ' * (i % 7)}{'x' * (i * 5 % 60)}" for i in range(40)]

NOTHING_PARKED = EngineConfig(prefix_cache_bytes=0)


@pytest.fixture(scope="module")
def answers(tiny: Path) -> list[str]:
    """What the model answers to each question when it is asked alone, without anything cached."""
    texts = []
    for question in QUESTIONS[:8]:
        engine = LlamaEngine(tiny, NOTHING_PARKED)
        texts.append(hear(engine.submit(ask(question))).text)
        engine.close()
    engine = LlamaEngine(tiny, NOTHING_PARKED)
    texts += [
        hear(engine.submit(ask(question, scope=str(i)))).text for i, question in enumerate(QUESTIONS[8:])
    ]
    engine.close()
    return texts


class TestBatches:
    def test_forty_requests_on_four_slots_each_get_the_text_that_they_get_alone(
        self, start_engine: StartEngine, answers: list[str]
    ) -> None:
        engine = start_engine(num_slots=4, max_queue=64)

        generations = [
            engine.submit(ask(question, scope=f"user {i % 5}")) for i, question in enumerate(QUESTIONS)
        ]

        assert [hear(generation).text for generation in generations] == answers

    @pytest.mark.parametrize("seed", range(4))
    def test_the_text_does_not_depend_on_who_else_writes(
        self, start_engine: StartEngine, answers: list[str], seed: int
    ) -> None:
        chance = random.Random(seed)
        engine = start_engine(num_slots=chance.choice([2, 3, 5]))
        order = chance.sample(range(len(QUESTIONS)), 15)

        generations = {}
        for i in order:
            generations[i] = engine.submit(ask(QUESTIONS[i], scope=chance.choice("ab")))
            if chance.random() < 0.3:
                engine.submit(ask("to be stopped", max_tokens=500)).cancel()
            time.sleep(chance.random() * 0.004)

        assert {i: hear(generation).text for i, generation in generations.items()} == {
            i: answers[i] for i in order
        }


class TestPrefixes:
    def test_the_second_turn_computes_only_what_is_new(self, start_engine: StartEngine) -> None:
        engine = start_engine()
        first = hear(engine.submit(ask("hello")))
        history = (ChatMessage.of("user", "hello"), ChatMessage.of("assistant", first.text))

        second = hear(engine.submit(ask("and more", history=history)))

        assert second.end
        usage = second.end.usage
        assert usage.cached_tokens > first.end.usage.prompt_tokens - 2
        assert usage.cached_tokens < usage.prompt_tokens

    def test_a_parked_conversation_is_found_again(self, start_engine: StartEngine) -> None:
        engine = start_engine(num_slots=1)
        first = hear(engine.submit(ask("tell me all about the roses in my garden")))
        for i in range(4):
            hear(engine.submit(ask(f"something quite different {i}", system="", scope=f"user {i}")))

        again = hear(engine.submit(ask("tell me all about the roses in my garden")))

        assert again.text == first.text
        assert again.end.usage.cached_tokens == again.end.usage.prompt_tokens - 1

    def test_another_person_shares_the_system_prompt_and_nothing_else(
        self, start_engine: StartEngine
    ) -> None:
        engine = start_engine()
        hear(engine.submit(ask("tell me about roses", scope="alice")))

        same_words = hear(engine.submit(ask("tell me about roses", scope="bob")))

        usage = same_words.end.usage
        head = engine.count_tokens(ask("", scope="bob"))
        assert 0 < usage.cached_tokens < head

    def test_nothing_is_shared_without_room_for_states(self, start_engine: StartEngine) -> None:
        engine = start_engine(num_slots=1, prefix_cache_bytes=0)
        hear(engine.submit(ask("tell me about roses", scope="alice")))
        hear(engine.submit(ask("something else", system="", scope="charlie")))

        heard = hear(engine.submit(ask("tell me about roses", scope="alice")))

        assert heard.end.usage.cached_tokens < 20


class TestCancel:
    def test_while_writing(self, shared_engine: LlamaEngine) -> None:
        generation = shared_engine.submit(ask("hello", max_tokens=1500))
        hear(generation, until=is_writing)

        generation.cancel()
        generation.cancel()
        heard = hear(generation)
        generation.cancel()

        assert heard.end.reason == "stopped"
        assert heard.end.usage.completion_tokens < 1500
        assert _is_idle_within(shared_engine, 2.0)

    def test_while_queued(self, start_engine: StartEngine) -> None:
        engine = start_engine(num_slots=1)
        writing = engine.submit(ask("hello", max_tokens=1000))
        queued = engine.submit(ask("me too"))

        queued.cancel()

        assert hear(queued).end.usage.completion_tokens == 0
        writing.cancel()
        assert hear(writing).end.reason == "stopped"

    def test_in_the_middle_of_the_prompt(self, start_engine: StartEngine) -> None:
        engine = start_engine()
        generation = engine.submit(ask("x" * 1900))
        hear(generation, until=lambda heard: "reading" in heard.state_names)

        generation.cancel()

        assert hear(generation).end.reason in ("stopped", "length")
        assert _is_idle_within(engine, 2.0)

    def test_two_hundred_cancels_each_followed_by_a_request(
        self, start_engine: StartEngine, answers: list[str]
    ) -> None:
        engine = start_engine(num_slots=2, max_queue=250)

        for _ in range(200):
            engine.submit(ask("hello", max_tokens=500)).cancel()

        assert hear(engine.submit(ask(QUESTIONS[3]))).text == answers[3]
        assert _is_idle_within(engine, 2.0)


class TestStates:
    def test_in_their_order(self, start_engine: StartEngine) -> None:
        engine = start_engine()

        heard = hear(engine.submit(ask("hello")))

        assert heard.state_names in (["loading", "reading", "writing"], ["reading", "writing"])

    def test_progress_rises_to_one(self, shared_engine: LlamaEngine) -> None:
        heard = hear(shared_engine.submit(ask("y" * 1500, scope="progress")))

        progress = [state.progress for state in heard.states if state.state == "reading"]
        assert len(progress) > 2
        assert progress == sorted(progress)
        assert progress[-1] == 1.0

    def test_a_place_in_the_queue_counts_down(self, start_engine: StartEngine) -> None:
        engine = start_engine(num_slots=1)
        others = [engine.submit(ask(f"hello {i}", max_tokens=100)) for i in range(3)]

        heard = hear(engine.submit(ask("last")))

        assert [s.position for s in heard.states if s.state == "queued"] == [3, 2, 1]
        assert all(hear(other).end for other in others)

    def test_status_counts_what_runs_and_what_waits(self, start_engine: StartEngine) -> None:
        engine = start_engine(num_slots=1)
        generations = [engine.submit(ask("hello", max_tokens=1000)) for _ in range(3)]
        hear(generations[0], until=is_writing)

        status = engine.status()

        assert (status.state, status.num_running, status.num_queued) == ("ready", 1, 2)
        for generation in generations:
            generation.cancel()


class TestFailures:
    def test_too_many_requests_are_turned_away_with_a_time_to_come_back(
        self, start_engine: StartEngine
    ) -> None:
        engine = start_engine(num_slots=1, max_queue=2)
        open_ones = [engine.submit(ask("hello", max_tokens=1000)) for _ in range(3)]

        with pytest.raises(Overloaded) as caught:
            engine.submit(ask("one too many"))

        assert caught.value.retry_after_s > 0
        for generation in open_ones:
            generation.cancel()
            hear(generation)
        assert hear(engine.submit(ask("now it goes"))).end

    @pytest.mark.parametrize("template", [RAISING_TEMPLATE, HOSTILE_TEMPLATE])
    def test_a_template_that_fails_fails_its_request(
        self, start_engine: StartEngine, tmp_path: Path, template: str
    ) -> None:
        engine = start_engine(write_tiny_gguf(tmp_path / "t.gguf", template=template))

        with pytest.raises(TemplateFailed):
            hear(engine.submit(ask("hello")))

    @pytest.mark.parametrize(
        ("name", "content"),
        [("empty", b""), ("text", b"Dear Sir or Madam"), ("magic alone", b"GGUF")],
    )
    def test_a_file_that_is_no_model_is_named(
        self, start_engine: StartEngine, tmp_path: Path, name: str, content: bytes
    ) -> None:
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        engine = start_engine(path)

        with pytest.raises(ModelUnreadable, match=name):
            hear(engine.submit(ask("hello")))
        with pytest.raises(ModelUnreadable, match=name):
            engine.count_tokens(ask("hello"))
        assert engine.status().state == "failed"

    def test_a_truncated_file_is_told_from_a_whole_one(
        self, start_engine: StartEngine, tiny: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "half.gguf"
        path.write_bytes(tiny.read_bytes()[:60_000])

        with pytest.raises(ModelUnreadable, match=r"half\.gguf is cut off"):
            hear(start_engine(path).submit(ask("hello")))

    def test_a_missing_file_is_an_error_for_the_user(self, start_engine: StartEngine, tmp_path: Path) -> None:
        with pytest.raises(ChatError, match=r"gone\.gguf"):
            hear(start_engine(tmp_path / "gone.gguf").submit(ask("hello")))

    def test_a_model_without_a_tokenizer_is_refused(self, start_engine: StartEngine, tmp_path: Path) -> None:
        path = write_tiny_gguf(tmp_path / "mute.gguf", has_tokenizer=False)

        with pytest.raises((ModelUnreadable, ModelUnsupported), match=r"mute\.gguf"):
            hear(start_engine(path).submit(ask("hello")))

    def test_closing_ends_what_is_open(self, start_engine: StartEngine) -> None:
        engine = start_engine()
        generation = engine.submit(ask("hello", max_tokens=1900))
        hear(generation, until=is_writing)

        started_at = time.monotonic()
        engine.close()

        assert time.monotonic() - started_at < 2.0
        with pytest.raises(Interrupted):
            hear(generation)
        with pytest.raises(EngineFailed):
            engine.submit(ask("hello"))


def _is_idle_within(engine: LlamaEngine, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        status = engine.status()
        if status.num_running == status.num_queued == 0:
            return True
        time.sleep(0.01)
    return False
