"""Facts in words, as the page shows them."""

from __future__ import annotations

import pytest
from django.http import HttpRequest

from chat.domain.events import RunFailed, RunFinished, RunStarted, UsageReported
from chat.domain.reply import ReplyBuilder
from chat.templatetags.chat_tags import (
    can_continue,
    end_label,
    facts,
    is_failure,
    pretty,
    seconds,
    theme,
    thought_for,
)
from tests.web.run_events import numbered

INTERRUPTED = RunFailed("interrupted", "The server stopped.")


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (0, "< 1 ms"),
        (40, "40 ms"),
        (440, "0.4 s"),
        (9_940, "9.9 s"),
        (12_300, "12 s"),
        (185_000, "3 min 5 s"),
    ],
)
def test_times_are_as_exact_as_is_useful(duration_ms: int, words: str) -> None:
    assert seconds(duration_ms) == words


def test_thoughts_say_how_long_they_took() -> None:
    assert thought_for(200) == "Thought for a moment"
    assert thought_for(12_300) == "Thought for 12 s"
    assert thought_for(125_000) == "Thought for 2 min 5 s"


def test_the_footer_names_model_tokens_speed_and_time() -> None:
    usage = UsageReported(100, 0, 1200, queued_ms=0, prompt_ms=500, completion_ms=24_000)

    reply = ReplyBuilder.of(numbered(RunStarted("starter"), usage, RunFinished("stop")))

    assert facts(reply) == ["starter", "1,200 tokens", "50.0 tokens/s", "24 s"]


def test_only_what_broke_off_can_go_on() -> None:
    assert can_continue(RunFinished("stopped"))
    assert can_continue(RunFinished("length"))
    assert can_continue(INTERRUPTED)
    assert not can_continue(RunFinished("stop"))
    assert not can_continue(RunFailed("out_of_memory", "Too big."))


def test_an_interruption_is_a_label_and_not_an_error() -> None:
    assert end_label(INTERRUPTED) == "Interrupted"
    assert not is_failure(INTERRUPTED)
    assert is_failure(RunFailed("out_of_memory", "Too big."))


def test_pages_without_a_request_follow_the_system() -> None:
    assert theme("") == "system"
    assert theme(HttpRequest()) == "system"


def test_a_tools_input_reads_in_the_order_in_which_it_is() -> None:
    assert (
        pretty({"file": "annual\u202etxt.exe", "é": 1}) == '{\n  "file": "annual\\u202etxt.exe",\n  "é": 1\n}'
    )
