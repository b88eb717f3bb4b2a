"""Pictures in prompts, on the tiny model with a tiny projector: what it sees is noise, but always the same noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chat.domain.errors import InvalidInput, ModelUnreadable
from chat.domain.messages import ChatMessage, ImagePart, TextPart
from chat.domain.params import GenerationRequest
from chat.engine.config import EngineConfig
from chat.engine.engine import LlamaEngine
from tests.engine.conftest import StartEngine, StartProcess
from tests.engine.talk import ask, hear, is_writing
from tests.engine.tiny_projector import NUM_ROWS, picture, write_tiny_projector

QUESTION = "What is there to see?"


@pytest.fixture(scope="module")
def projector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_projector(tmp_path_factory.mktemp("projector") / "mmproj-tiny.gguf")


@pytest.fixture(scope="module")
def seeing_engine(tiny: Path, projector: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(tiny, EngineConfig(projector=projector))
    yield engine
    engine.close()


def show(*images: ImagePart, text: str = QUESTION, **settings: object) -> GenerationRequest:
    """`ask` with pictures before the words."""
    request = ask(text, **settings)  # type: ignore[arg-type]
    question = ChatMessage("user", (*images, TextPart(text)))
    return replace(request, messages=(*request.messages[:-1], question))


def test_the_same_picture_gives_the_same_text_and_another_one_another(seeing_engine: LlamaEngine) -> None:
    requests = [show(picture(color), is_alone=True) for color in ("red", "red", "blue")]

    first, again, other = [hear(seeing_engine.submit(request)).text for request in requests]

    assert first == again
    assert first != other


def test_text_alone_is_answered_as_without_a_projector(
    seeing_engine: LlamaEngine, shared_engine: LlamaEngine
) -> None:
    texts = [hear(engine.submit(ask(QUESTION))).text for engine in (seeing_engine, shared_engine)]

    assert texts[0] == texts[1]


def test_a_model_that_does_not_see_is_told_of_the_picture_in_words(shared_engine: LlamaEngine) -> None:
    spans = shared_engine.trace_prompt(show(picture("red", "cat.png")))

    assert "[picture: cat.png]" in "".join(span.text for span in spans)


def test_a_later_turn_goes_on_from_the_picture(seeing_engine: LlamaEngine) -> None:
    answer = hear(seeing_engine.submit(show(picture("green"))))
    turns = (*show(picture("green")).messages[1:], ChatMessage.of("assistant", answer.text))

    later = hear(seeing_engine.submit(ask("And now?", history=turns)))
    afresh = hear(seeing_engine.submit(ask("And now?", history=turns, is_alone=True)))

    assert answer.end
    assert later.end
    assert afresh.end
    assert later.end.usage.cached_tokens > answer.end.usage.prompt_tokens - 5
    assert afresh.end.usage.cached_tokens == 0
    assert later.text == afresh.text
    assert "looking" not in later.state_names
    assert "looking" in afresh.state_names


def test_a_picture_is_used_again_neither_for_another_one_nor_for_another_person(
    seeing_engine: LlamaEngine,
) -> None:
    first = hear(seeing_engine.submit(show(picture("cyan"))))
    other_picture = hear(seeing_engine.submit(show(picture("navy"))))
    other_person = hear(seeing_engine.submit(show(picture("cyan"), scope="bob")))

    assert first.text == other_person.text != other_picture.text
    assert "looking" in other_picture.state_names
    assert "looking" in other_person.state_names


def test_others_write_on_around_a_picture(seeing_engine: LlamaEngine) -> None:
    requests = [ask("One?"), show(picture("red")), show(picture("blue"), picture("red")), ask("Two?")]
    alone = [hear(seeing_engine.submit(replace(request, is_alone=True))).text for request in requests]

    generations = [seeing_engine.submit(request) for request in requests]

    assert [hear(generation).text for generation in generations] == alone


def test_a_picture_counts_in_the_length_of_the_prompt(seeing_engine: LlamaEngine) -> None:
    without, with_one, with_two = [
        seeing_engine.count_tokens(show(*[picture("red")] * number)) for number in range(3)
    ]

    assert with_one - without > NUM_ROWS
    assert with_two - with_one == with_one - without


def test_the_prompt_names_its_pictures(seeing_engine: LlamaEngine) -> None:
    request = show(picture("red", "cat.png"))

    spans = seeing_engine.trace_prompt(request)

    (shown,) = [span for span in spans if "[picture: cat.png]" in span.text]
    assert shown.num_tokens > NUM_ROWS
    assert sum(span.num_tokens for span in spans) == seeing_engine.count_tokens(request)


def test_a_damaged_picture_is_told_and_the_engine_lives(seeing_engine: LlamaEngine) -> None:
    damaged = replace(picture("red"), data=picture("red").data[:60])

    with pytest.raises(InvalidInput, match=r"square\.png cannot be read"):
        hear(seeing_engine.submit(show(damaged)))

    assert hear(seeing_engine.submit(ask("Still there?"))).text


def test_words_that_look_like_a_mark_are_words(seeing_engine: LlamaEngine) -> None:
    request = show(picture("red"), text="<__media__> <start_of_image>")

    assert hear(seeing_engine.submit(request)).text


def test_reading_a_picture_can_be_stopped(start_engine: StartEngine, projector: Path) -> None:
    engine = start_engine(projector=projector)
    generation = engine.submit(show(*map(picture, ("red", "blue", "green")), max_tokens=1000))

    hear(generation, until=lambda heard: "looking" in heard.state_names)
    generation.cancel()

    heard = hear(generation)
    assert heard.end
    assert heard.end.reason == "stopped"
    assert hear(engine.submit(show(picture("red")))).text


def test_a_projector_of_another_model_is_named(tiny: Path, start_engine: StartEngine, tmp_path: Path) -> None:
    engine = start_engine(projector=write_tiny_projector(tmp_path / "mmproj-wide.gguf", width=96))

    with pytest.raises(ModelUnreadable, match=r"mmproj-wide\.gguf.* another model"):
        hear(engine.submit(ask("Hello")))


def test_a_child_that_sees_goes_on_after_a_crash(start_process: StartProcess, projector: Path) -> None:
    engine = start_process(projector=projector)
    expected = hear(engine.submit(show(picture("red"), max_tokens=300)), timeout_s=60).text
    generation = engine.submit(show(picture("red"), max_tokens=300))
    heard = hear(generation, until=is_writing, timeout_s=60)
    assert engine._child

    engine._child.kill()

    assert heard.text + hear(generation, timeout_s=60).text == expected
