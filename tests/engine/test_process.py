"""EngineProcess: what a reader sees when the process under it dies, hangs or cannot load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chat.domain.errors import ContextOverflow, EngineFailed, Interrupted, Overloaded
from chat.engine.process import EngineProcess
from tests.engine.conftest import StartProcess
from tests.engine.talk import Heard, ask, hear, is_writing

LONG = 1500


@pytest.fixture
def engine(start_process: StartProcess) -> EngineProcess:
    """Ready to write."""
    engine = start_process()
    engine.count_tokens(ask("hello"))
    return engine


def wait_until(is_true: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def has_at_least(num_chars: int) -> Callable[[Heard], bool]:
    return lambda heard: len(heard.text) >= num_chars


class TestOrdinaryDays:
    def test_text_is_the_same_as_in_this_process(self, engine: EngineProcess, shared_engine: object) -> None:
        there = hear(engine.submit(ask("hello")))
        here = hear(shared_engine.submit(ask("hello")))

        assert there.text == here.text
        assert there.end.usage.completion_tokens == here.end.usage.completion_tokens

    def test_loading_is_a_state_of_those_who_come_early(self, start_process: StartProcess) -> None:
        heard = hear(start_process().submit(ask("hello")))

        assert heard.state_names == ["loading", "reading", "writing"]

    def test_fifty_conversations_on_four_slots_all_finish_with_their_own_text(
        self, start_process: StartProcess
    ) -> None:
        engine = start_process(num_slots=4, max_queue=64)
        alone = [hear(engine.submit(ask(f"question {i}", scope=str(i)))).text for i in range(50)]

        generations = [engine.submit(ask(f"question {i}", scope=str(i))) for i in range(50)]

        assert [hear(generation).text for generation in generations] == alone

    def test_tokens_are_counted(self, engine: EngineProcess) -> None:
        assert engine.count_tokens(ask("hello")) < engine.count_tokens(ask("hello, hello"))

    def test_errors_of_a_request_cross_the_border(self, engine: EngineProcess) -> None:
        with pytest.raises(ContextOverflow, match="2048"):
            hear(engine.submit(ask("x" * 5000)))

    def test_too_many_requests_are_turned_away(self, start_process: StartProcess) -> None:
        engine = start_process(num_slots=1, max_queue=1)
        generations = [engine.submit(ask("hello", max_tokens=LONG)) for _ in range(2)]

        with pytest.raises(Overloaded):
            engine.submit(ask("hello"))
        for generation in generations:
            generation.cancel()

    def test_status_tells_the_truth(self, engine: EngineProcess) -> None:
        generation = engine.submit(ask("hello", max_tokens=LONG))
        hear(generation, until=is_writing)

        busy = engine.status()
        generation.cancel()
        hear(generation)

        assert (busy.state, busy.model, busy.context_tokens) == ("ready", "tiny", 2048)
        assert (busy.num_running, busy.num_queued) == (1, 0)
        wait_until(lambda: engine.status().num_running == 0)

    def test_the_child_can_be_found_by_its_name(self, engine: EngineProcess) -> None:
        words = Path(f"/proc/{engine.pid}/cmdline").read_bytes().split(b"\0")

        assert b"parley-engine" in words
        assert b"tiny.gguf" in words

    def test_the_child_knows_no_django_and_no_secrets(
        self, start_process: StartProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PARLEY_SECRET_KEY", "do not tell")
        engine = start_process()
        engine.count_tokens(ask("hello"))

        assert "do not tell" not in Path(f"/proc/{engine.pid}/environ").read_text()
        assert "django" not in Path(f"/proc/{engine.pid}/maps").read_text()


class TestCancel:
    @pytest.mark.parametrize("num_chars", [0, 1, 200])
    def test_a_slot_is_free_soon_after(self, engine: EngineProcess, num_chars: int) -> None:
        generation = engine.submit(ask("hello", max_tokens=LONG))
        hear(generation, until=has_at_least(num_chars))

        generation.cancel()
        generation.cancel()

        assert hear(generation).end.reason == "stopped"
        wait_until(lambda: engine.status().num_running == 0, timeout_s=10.0)

    def test_while_the_model_is_loading(self, start_process: StartProcess) -> None:
        engine = start_process()
        generation = engine.submit(ask("hello"))

        generation.cancel()

        assert hear(generation).end.reason == "stopped"
        assert hear(engine.submit(ask("hello"))).end.reason == "length"

    def test_while_the_engine_is_restarting(self, engine: EngineProcess) -> None:
        generation = engine.submit(ask("hello", max_tokens=LONG))
        hear(generation, until=is_writing)
        os.kill(engine.pid, signal.SIGKILL)
        hear(generation, until=lambda heard: "restarting" in heard.state_names)

        generation.cancel()

        assert hear(generation).end.reason == "stopped"


class TestCrash:
    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
    def test_the_text_goes_on_without_a_gap_or_a_repeat(
        self, engine: EngineProcess, how: signal.Signals
    ) -> None:
        whole = hear(engine.submit(ask("hello", max_tokens=LONG))).text
        generation = engine.submit(ask("hello", max_tokens=LONG))

        before = hear(generation, until=has_at_least(300))
        os.kill(engine.pid, how)
        after = hear(generation)

        assert before.text + after.text == whole
        assert after.state_names == ["restarting", "reading", "writing"]
        assert after.end.usage.completion_tokens == LONG

    def test_all_who_write_or_wait_get_their_text(self, start_process: StartProcess) -> None:
        engine = start_process(num_slots=2)
        alone = [hear(engine.submit(ask(f"question {i}", max_tokens=150))).text for i in range(12)]
        generations = [engine.submit(ask(f"question {i}", max_tokens=150)) for i in range(12)]
        first = hear(generations[0], until=has_at_least(50))

        os.kill(engine.pid, signal.SIGKILL)

        rest = [hear(generation).text for generation in generations]
        assert [first.text + rest[0], *rest[1:]] == alone

    def test_an_idle_engine_that_dies_is_ready_again(self, engine: EngineProcess) -> None:
        old_pid = engine.pid

        os.kill(old_pid, signal.SIGKILL)
        wait_until(lambda: engine.pid != old_pid and engine.status().state == "ready")

        assert hear(engine.submit(ask("hello"))).end

    def test_what_kills_the_engine_twice_fails_and_others_go_on(self, engine: EngineProcess) -> None:
        killer = engine.submit(ask("hello", max_tokens=1900))
        for _ in range(2):
            hear(killer, until=lambda heard: heard.state_names[-2:] == ["reading", "writing"])
            os.kill(engine.pid, signal.SIGKILL)

        with pytest.raises(EngineFailed, match="twice"):
            hear(killer)
        assert hear(engine.submit(ask("hello"))).end

    def test_neighbours_of_a_killer_are_not_blamed(self, start_process: StartProcess) -> None:
        engine = start_process(num_slots=4)
        innocent = [engine.submit(ask(f"hello {i}", max_tokens=1200)) for i in range(3)]
        for _ in range(2):
            pid = engine.pid
            wait_until(lambda: engine.status().num_running == 3)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: engine.pid not in (pid, None))

        assert [hear(generation).end.reason for generation in innocent] == ["length"] * 3

    def test_a_stopped_process_is_ended_by_the_watchdog(self, start_process: StartProcess) -> None:
        engine = start_process(watchdog_s=0.5)
        generation = engine.submit(ask("hello", max_tokens=LONG))
        hear(generation, until=is_writing)

        os.kill(engine.pid, signal.SIGSTOP)

        assert hear(generation).end.reason == "length"

    def test_the_child_dies_with_its_parent(self, tiny: Path) -> None:
        script = (
            "import sys, time; from pathlib import Path\n"
            "from chat.engine.process import EngineProcess; from chat.engine.config import EngineConfig\n"
            "from tests.engine.talk import ask\n"
            "engine = EngineProcess(Path(sys.argv[1]), EngineConfig())\n"
            "engine.count_tokens(ask('hello'))\n"
            "engine.submit(ask('hello', max_tokens=1900))\n"
            "print(engine.pid, flush=True); time.sleep(60)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tiny)], stdout=subprocess.PIPE, text=True
        ) as parent:
            child = int(parent.stdout.readline())
            parent.kill()

        wait_until(lambda: not Path(f"/proc/{child}").exists(), timeout_s=20.0)


class TestClosing:
    def test_is_quick_and_ends_what_is_open(self, engine: EngineProcess) -> None:
        pid = engine.pid
        generation = engine.submit(ask("hello", max_tokens=1900))
        hear(generation, until=is_writing)
        started_at = time.monotonic()

        engine.close()

        assert time.monotonic() - started_at < 2.0
        assert not Path(f"/proc/{pid}").exists()
        with pytest.raises(Interrupted):
            hear(generation)

    def test_while_loading(self, start_process: StartProcess) -> None:
        engine = start_process()

        engine.close()

        assert engine.status().state == "stopped"
        with pytest.raises(EngineFailed):
            engine.submit(ask("hello"))
        with pytest.raises(EngineFailed):
            engine.count_tokens(ask("hello"))

    def test_twice_does_no_harm(self, engine: EngineProcess) -> None:
        engine.close()
        engine.close()
