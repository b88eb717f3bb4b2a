"""The live page of the engines: its figures and charts are those of what happened, and it is for staff."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat.engine.pieces import EngineState, EngineStatus, GenerationUsage
from chat.models import Actor, User
from chat.runs.meters import Totals
from chat.runs.rates import Rates, rates_between, recent_rates
from chat.runs.samples import ModelSample, Sample
from chat.runtime import Runtime
from chat.web.engine_charts import COLUMN_S, NUM_COLUMNS, live_charts, moments_of
from chat.web.engine_page import STATE_WORDS
from tests.conftest import wait_for_end, wait_until

ClientOf = Callable[[User], Client]
STATUS = EngineStatus("ready", "tiny", num_slots=4, num_running=1, num_queued=0, context_tokens=2048)


@pytest.fixture
def boss(transactional_db: None, client_of: ClientOf) -> Client:
    return client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))


def sample_at(at_s: float, *, written: int = 0, totals: Totals | None = None, **status: int) -> Sample:
    """A moment at which the model "tiny" is loaded."""
    engine = replace(STATUS, num_written_tokens=written, **status)
    return Sample(at_s, 10**8, 0, {"tiny": ModelSample(engine, totals or Totals(), 2 * 10**8)})


def test_it_shows_a_loaded_model_with_what_it_did(
    runtime: Runtime, alices_actor: Actor, boss: Client
) -> None:
    run = wait_for_end(runtime.runs.start_conversation(alices_actor, "Hello", key=uuid.uuid4()))
    usage = run.usage_report
    assert usage is not None

    def facts() -> dict[str, str]:
        (engine,) = boss.get("/engine/").context["engines"]
        assert engine.is_ready
        return dict(engine.facts)

    wait_until(lambda: facts()["Answers"] == f"{usage.completion_tokens} tokens")
    found = facts()
    assert found["Slots in use"] == "0 of 4"
    assert found["Restarts"] == "0"
    assert found["Prompts"].startswith(f"{usage.prompt_tokens} tokens")
    html = boss.get("/engine/").content.decode()
    assert html.count('<svg role="img"') == 7
    assert "style=" not in html


@pytest.mark.parametrize("state", get_args(EngineState))
def test_every_state_of_an_engine_has_words(state: EngineState) -> None:
    assert STATE_WORDS[state]


def test_answers_with_an_adapter_count_for_the_engine_that_wrote_them(runtime: Runtime) -> None:
    usage = GenerationUsage(10, 5, 20, queued_ms=0, prompt_ms=100, completion_ms=1000)
    runtime.registry.get("")
    for name in ("tiny", "tiny+style", "tiny2"):
        runtime.meters.count_generation(name, usage)

    (sample,) = runtime.sampler.samples()

    assert sample.models["tiny"].totals == Totals(20, 10, 40, 0.2, 0.2, 2)


def test_without_a_model_it_says_what_would_load_one(runtime: Runtime, boss: Client) -> None:
    assert "No model is loaded" in boss.get("/engine/").content.decode()


def test_htmx_gets_what_changes_and_nothing_is_counted_for_it(runtime: Runtime, boss: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        html = boss.get("/engine/", headers={"HX-Request": "true"}).content.decode()

    assert html.lstrip().startswith('<div id="engine"')
    assert "<html" not in html
    assert len(queries) <= 2  # the session and its user


def test_for_an_outsider_there_is_no_page(runtime: Runtime, charlie: User, client_of: ClientOf) -> None:
    for outsider in (Client(), client_of(charlie)):
        assert outsider.get("/engine/").status_code == 404
        assert outsider.get("/engine/", headers={"HX-Request": "true"}).status_code == 404


def test_staff_find_it_beside_the_numbers(runtime: Runtime, boss: Client) -> None:
    assert 'href="/engine/"' in boss.get("/review/numbers").content.decode()


def test_rates_are_those_between_two_samples() -> None:
    before = Totals(prompt_tokens=100, reused_tokens=50, prefill_s=1, first_token_s=1, num_first_tokens=2)
    after = Totals(prompt_tokens=300, reused_tokens=200, prefill_s=2, first_token_s=4, num_first_tokens=4)

    found = rates_between(
        sample_at(10, written=20, totals=before), sample_at(14, written=60, totals=after), "tiny"
    )

    assert found == Rates(written_per_s=10, read_per_s=50, first_token_s=1.5, reuse_share=0.75)


def test_an_engine_that_began_anew_counts_from_nothing() -> None:
    earlier, later = sample_at(0, written=500), sample_at(2, written=8)

    assert rates_between(earlier, later, "tiny").written_per_s == 4
    assert rates_between(replace(earlier, models={}), later, "tiny").written_per_s == 4
    assert rates_between(later, later, "tiny") == Rates(0, None, None, None)


def test_recent_rates_look_back_as_far_as_they_are_told() -> None:
    samples = [sample_at(at_s, written=written) for at_s, written in ((0, 0), (50, 1000), (60, 1100))]

    assert recent_rates(samples, "tiny", window_s=20).written_per_s == 10
    assert recent_rates(samples, "tiny", window_s=60).written_per_s == pytest.approx(1100 / 60)


def test_columns_keep_the_highest_of_their_samples_and_leave_gaps() -> None:
    start = 1000 * COLUMN_S
    samples = [
        sample_at(start, num_running=2),
        sample_at(start + 2, num_running=4, num_queued=3),
        sample_at(start + 4, num_running=1),
        replace(sample_at(start + 2 * COLUMN_S), models={}),
        sample_at(start + 3 * COLUMN_S, num_running=0),
    ]

    moments = moments_of(samples, "tiny")

    assert len(moments) == NUM_COLUMNS
    assert [moment and (moment.num_running, moment.num_queued) for moment in moments[-4:]] == [
        (4, 3),
        None,
        None,
        (0, 0),
    ]
    assert not any(moments[:-4])


def test_a_chart_tells_in_words_what_it_draws() -> None:
    start = 1000 * COLUMN_S
    samples = [
        sample_at(start, num_running=4),
        sample_at(start + COLUMN_S, num_running=1, written=60),
    ]

    charts = {chart.name: chart for chart in live_charts(samples, "tiny")}

    assert charts["slots"].summary == "Last ten minutes. Latest: 1. Highest: 4."
    assert charts["slots"].path.count("z") == 2
    assert charts["decode"].latest == "10.0"
    assert (charts["first-token"].latest, charts["first-token"].path) == ("", "")
    assert charts["memory"].latest == "200 MB"
