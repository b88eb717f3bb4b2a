"""Tools in a run, from the question to the stored answer: they work side by side, fail plainly, and can be stopped."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chat.domain.events import (
    RunFinished,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from chat.domain.messages import ChatMessage, ToolCall
from chat.domain.params import GenerationRequest
from chat.models import Actor, RunStatus
from chat.retrieval.hits import Found, Hit
from chat.retrieval.search import Retriever
from chat.runs.calls import MAX_CALLS
from chat.runs.sources import Search
from chat.runs.task import Task
from chat.runtime import Runtime
from chat.tools.calculator import calculator
from chat.tools.registry import TOOLS
from tests.conftest import conversation_of, wait_for_end, wait_until
from tests.runs.scripted import CONTEXT_TOKENS, ScriptedEngine, ask, call, events_of, of_kind, results_in
from tests.tools import fakes
from tests.tools.fakes import children


def starter_with(function: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Runtime:
    """The starter model with a calculator that does something else."""
    monkeypatch.setattr(function, "__doc__", calculator.__doc__)
    monkeypatch.setitem(TOOLS, "calculator", f"{function.__module__}.{function.__name__}")
    runtime: Runtime = request.getfixturevalue("starter_runtime")
    return runtime


class TestWithTheStarterModel:
    def test_a_sum_is_worked_out_by_the_calculator(
        self, starter_runtime: Runtime, alices_actor: Actor
    ) -> None:
        run = wait_for_end(ask(starter_runtime, alices_actor))

        events = events_of(starter_runtime, run)
        told = of_kind(events, ToolStarted, ToolFinished, TextDelta, RunFinished)
        started, finished = told[:2]
        assert run.status == RunStatus.DONE
        assert isinstance(started, ToolStarted)
        assert (started.name, dict(started.arguments)) == ("calculator", {"expression": "37 * 48"})
        assert isinstance(finished, ToolFinished)
        assert (finished.call_id, finished.content, finished.is_error) == (started.call_id, "1776", False)
        assert all(isinstance(event, TextDelta) for event in told[2:-1])
        assert StatusChanged("calling") in events
        assert "1776" in run.reply.text.replace(",", "")

    @pytest.mark.parametrize(
        ("function", "is_error", "words"),
        [
            (fakes.fail, True, "The tool failed."),
            (fakes.flood, False, "[cut: the result had 10,000,000 characters]"),
        ],
    )
    def test_a_bad_tool_is_told_and_the_answer_goes_on(
        self,
        monkeypatch: pytest.MonkeyPatch,
        request: pytest.FixtureRequest,
        alices_actor: Actor,
        function: Callable[..., str],
        is_error: bool,
        words: str,
    ) -> None:
        runtime = starter_with(function, monkeypatch, request)

        run = wait_for_end(ask(runtime, alices_actor))

        finished = of_kind(events_of(runtime, run), ToolFinished)[0]
        assert run.status == RunStatus.DONE
        assert finished.is_error is is_error
        assert words in finished.content
        assert run.reply.text

    def test_stop_ends_a_tool_that_hangs(
        self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, alices_actor: Actor
    ) -> None:
        runtime = starter_with(fakes.hang, monkeypatch, request)
        run = ask(runtime, alices_actor)
        wait_until(children)

        runtime.runs.cancel(run)
        wait_for_end(run, timeout_s=30)

        assert run.status == RunStatus.STOPPED
        assert of_kind(events_of(runtime, run), ToolFinished) == []
        wait_until(lambda: children() == [])


class TestSeveralCalls:
    def test_they_work_side_by_side_and_are_told_in_the_order_of_their_end(
        self, stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
    ) -> None:
        engine.rounds = [[call("late"), call("early")], "Done."]

        run = wait_for_end(ask(stage, alices_actor))

        told = of_kind(events_of(stage, run), ToolStarted, ToolFinished)
        assert [(type(event), event.name) for event in told] == [
            (ToolStarted, "late"),
            (ToolStarted, "early"),
            (ToolFinished, "early"),
            (ToolFinished, "late"),
        ]
        assert [result.content for result in results_in(engine.requests[1])] == ["late", "early"]
        assert run.reply.text == "Done."

    def test_the_next_question_shows_the_model_the_results_in_that_order_too(
        self, stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
    ) -> None:
        engine.rounds = [[call("late"), call("early")], "Done.", "You are welcome."]
        first = wait_for_end(ask(stage, alices_actor))

        wait_for_end(stage.runs.post_message(conversation_of(first), "Thanks", key=uuid.uuid4()))

        assert [result.content for result in results_in(engine.requests[2])] == ["late", "early"]

    def test_more_than_the_bound_are_not_made(
        self, stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
    ) -> None:
        engine.rounds = [[ToolCall(f"c{n}", "say") for n in range(MAX_CALLS + 2)], "Done."]

        run = wait_for_end(ask(stage, alices_actor))

        results = results_in(engine.requests[1])
        assert [result.is_error for result in results] == [False] * MAX_CALLS + [True] * 2
        assert "at once" in results[-1].content
        assert run.status == RunStatus.DONE

    def test_stop_keeps_what_has_come_and_ends_the_rest(
        self, stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
    ) -> None:
        engine.rounds = [[call("hang"), call("say")]]
        run = ask(stage, alices_actor)
        wait_until(lambda: of_kind(events_of(stage, run), ToolFinished))

        stage.runs.cancel(run)
        wait_for_end(run, timeout_s=30)

        assert run.status == RunStatus.STOPPED
        assert [event.name for event in of_kind(events_of(stage, run), ToolFinished)] == ["say"]

    def test_a_server_that_stops_interrupts_them(
        self, stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
    ) -> None:
        engine.rounds = [[call("hang")]]
        run = ask(stage, alices_actor)
        wait_until(lambda: of_kind(events_of(stage, run), ToolStarted))

        stage.close()

        run.refresh_from_db()
        assert run.status == RunStatus.INTERRUPTED

    def test_a_long_result_is_whole_for_the_reader_and_cut_for_a_small_context(
        self, stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
    ) -> None:
        engine.rounds = [[call("say", times=5000)], "Done."]

        run = wait_for_end(ask(stage, alices_actor))

        shown = of_kind(events_of(stage, run), ToolFinished)[0].content
        read = results_in(engine.requests[1])[0].content
        assert len(shown) > 4 * CONTEXT_TOKENS > len(read)
        assert read.endswith(f"[cut: too long to read, it has {len(shown):,} characters]")
        assert engine.count_tokens(engine.requests[1]) < CONTEXT_TOKENS
        assert run.status == RunStatus.DONE


class TestSearch:
    def test_what_the_model_looks_up_is_numbered_after_what_was_found_before(
        self, stage: Runtime, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def search(self: Retriever, ids: object, query: str, limit: int) -> Found:
            return Found((Hit(1, query, "tea.md", f"about {query}", 1, 0, 9, 1, None, 0.5),))

        monkeypatch.setattr(Retriever, "search", search)
        engine.rounds = [[call("search_documents", query="milk")], "With milk [2]."]
        request = GenerationRequest((ChatMessage.of("user", "tea"),), tools=stage.tools.specs())

        with stage.detached.open(Task(request, search=Search((uuid.uuid4(),), "tea"))) as run_id:
            wait_until(lambda: any(isinstance(n.event, RunFinished) for n in stage.log.read(run_id)))
            events = [numbered.event for numbered in stage.log.read(run_id)]

        told = of_kind(events, SourcesFound, ToolFinished)
        assert [type(event) for event in told] == [SourcesFound, ToolFinished, SourcesFound]
        assert told[1].content == "about milk [2]"
        assert [(source.n, source.excerpt) for source in told[2].sources] == [
            (1, "about tea"),
            (2, "about milk"),
        ]

    def test_without_documents_there_is_no_search(
        self, stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
    ) -> None:
        engine.rounds = ["Done."]

        wait_for_end(ask(stage, alices_actor))

        assert "search_documents" in [tool.name for tool in stage.tools.specs()]
        assert "search_documents" not in [tool.name for tool in engine.requests[0].tools]
