"""Calls that need a person's word: asked on the page, answered once, and never made without it."""

from __future__ import annotations

import pytest

from chat.domain.errors import Conflict, NotFound
from chat.domain.events import ApprovalAnswered, ApprovalAsked, RunFinished, StatusChanged, ToolFinished
from chat.domain.messages import ChatMessage, ToolCall
from chat.domain.params import GenerationRequest
from chat.models import Actor, Run, RunStatus
from chat.runs import calls
from chat.runs.service import Chat
from chat.runs.task import Task
from chat.runtime import Runtime
from tests.conftest import wait_for_end, wait_until
from tests.runs.scripted import ScriptedEngine, ask, call, events_of, of_kind, results_in


@pytest.fixture
def asked(stage: Runtime, engine: ScriptedEngine, alices_actor: Actor) -> Run:
    """A run that waits for a person's word on a call, beside one that needs none."""
    engine.rounds = [[call("guarded", times=1), call("say")], "Done."]
    run = ask(stage, alices_actor)
    wait_until(lambda: len(of_kind(events_of(stage, run), ApprovalAsked, ToolFinished)) == 2)
    return run


def test_other_calls_do_not_wait_for_it(stage: Runtime, asked: Run) -> None:
    events = events_of(stage, asked)

    assert [event.name for event in of_kind(events, ToolFinished)] == ["say"]
    assert of_kind(events, StatusChanged)[-1].state == "asking"
    stage.runs.cancel(asked)
    wait_for_end(asked)


def test_an_allowed_call_is_made(stage: Runtime, asked: Run, engine: ScriptedEngine) -> None:
    stage.runs.answer_approval(asked, "call_guarded", is_allowed=True)
    wait_for_end(asked)

    told = of_kind(events_of(stage, asked), ApprovalAnswered, ToolFinished)[1:]
    assert told[0] == ApprovalAnswered("call_guarded", is_allowed=True)
    assert (told[1].content, told[1].is_error) == ("said very well", False)
    assert [result.content for result in results_in(engine.requests[1])] == [
        "said very well",
        "said well",
    ]


def test_a_denied_call_is_an_error_that_the_model_reads(
    stage: Runtime, asked: Run, engine: ScriptedEngine
) -> None:
    stage.runs.answer_approval(asked, "call_guarded", is_allowed=False)
    wait_for_end(asked)

    result = results_in(engine.requests[1])[0]
    assert (asked.status, result.is_error) == (RunStatus.DONE, True)
    assert result.content == "The person did not allow this call."


def test_the_first_answer_counts(stage: Runtime, engine: ScriptedEngine, alices_actor: Actor) -> None:
    engine.rounds = [[ToolCall("c1", "guarded"), ToolCall("c2", "guarded")], "Done."]
    run = ask(stage, alices_actor)
    wait_until(lambda: len(of_kind(events_of(stage, run), ApprovalAsked)) == 2)

    stage.runs.answer_approval(run, "c1", is_allowed=False)
    with pytest.raises(Conflict):
        stage.runs.answer_approval(run, "c1", is_allowed=True)
    stage.runs.answer_approval(run, "c2", is_allowed=True)
    wait_for_end(run)

    assert [event.is_allowed for event in of_kind(events_of(stage, run), ApprovalAnswered)] == [
        False,
        True,
    ]


def test_an_answer_to_nothing_is_refused(stage: Runtime, asked: Run) -> None:
    with pytest.raises(NotFound):
        stage.runs.answer_approval(asked, "call_say", is_allowed=True)
    stage.runs.cancel(asked)
    wait_for_end(asked)
    with pytest.raises(NotFound):
        stage.runs.answer_approval(asked, "call_guarded", is_allowed=True)


def test_stop_ends_the_waiting(stage: Runtime, asked: Run) -> None:
    stage.runs.cancel(asked)
    wait_for_end(asked, timeout_s=30)

    assert asked.status == RunStatus.STOPPED
    assert of_kind(events_of(stage, asked), ApprovalAnswered) == []


def test_without_an_answer_in_time_it_is_no(
    stage: Runtime, engine: ScriptedEngine, alices_actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MAX_ASKING_S", 0.05)
    engine.rounds = [[call("guarded")], "Done."]

    run = wait_for_end(ask(stage, alices_actor))

    assert of_kind(events_of(stage, run), ApprovalAnswered) == [ApprovalAnswered("call_guarded", False)]
    assert "Nobody allowed" in results_in(engine.requests[1])[0].content


def test_where_nobody_can_be_asked_it_is_not_offered(
    stage: Runtime, engine: ScriptedEngine, alices_actor: Actor
) -> None:
    engine.rounds = [[call("guarded")], "Done."]

    run = wait_for_end(ask(stage, alices_actor, chat=Chat(id="a-programs-own")))

    assert "guarded" not in [tool.name for tool in engine.requests[0].tools]
    assert of_kind(events_of(stage, run), ApprovalAsked) == []
    assert "no tool called 'guarded'" in results_in(engine.requests[1])[0].content


def test_a_detached_run_is_not_offered_it_either(stage: Runtime, engine: ScriptedEngine) -> None:
    engine.rounds = ["Done."]
    request = GenerationRequest((ChatMessage.of("user", "Hello"),), tools=stage.tools.specs())

    with stage.detached.open(Task(request)) as run_id:
        wait_until(lambda: any(isinstance(n.event, RunFinished) for n in stage.log.read(run_id)))

    assert [tool.name for tool in engine.requests[0].tools] == ["early", "late", "hang", "say"]
