"""What is blamed after a crash, and when trying again ends."""

from __future__ import annotations

import signal

from chat.domain.errors import EngineFailed, ModelUnreadable, OutOfMemory
from chat.engine.restarts import RestartPolicy


def test_the_first_restart_is_at_once_and_later_ones_wait_ever_longer() -> None:
    policy = RestartPolicy("m.gguf")
    policy.record_load()
    delays = []
    for _ in range(5):
        policy.record_crash([])
        delays.append(policy.delay_s)

    assert delays[0] == 0.0
    assert delays == sorted(delays)
    assert delays[-1] > 1.0


def test_one_that_was_alone_in_two_crashes_is_to_blame() -> None:
    policy = RestartPolicy("m.gguf")

    assert policy.record_crash([7]) == []
    assert policy.record_crash([7]) == [7]


def test_among_several_suspects_each_is_tried_alone() -> None:
    policy = RestartPolicy("m.gguf")
    assert policy.record_crash([1, 2, 3]) == []
    assert policy.record_crash([1, 2, 3]) == []

    assert policy.next_jobs([1, 2, 3, 4], sent=[]) == [1]
    assert policy.next_jobs([1, 2, 3, 4], sent=[1]) == []
    assert policy.next_jobs([2, 3, 4], sent=[]) == [2]
    assert policy.record_crash([2]) == [2]


def test_without_suspects_everything_is_sent() -> None:
    policy = RestartPolicy("m.gguf")
    policy.record_crash([1, 2])

    assert policy.next_jobs([1, 2, 3], sent=[2]) == [1, 3]


def test_a_second_crash_while_loading_switches_repacked_weights_off() -> None:
    policy = RestartPolicy("m.gguf")
    assert policy.record_load_crash(-6) is None
    assert not policy.must_avoid_extra_bufts
    assert policy.record_load_crash(-6) is None

    assert policy.must_avoid_extra_bufts


def test_a_third_crash_while_loading_blames_the_file_the_memory_or_the_installation() -> None:
    def third(exit_status: int) -> object:
        policy = RestartPolicy("m.gguf")
        return [policy.record_load_crash(exit_status) for _ in range(3)][-1]

    assert isinstance(third(-signal.SIGABRT), ModelUnreadable)
    assert isinstance(third(-signal.SIGKILL), OutOfMemory)
    assert isinstance(third(1), EngineFailed)


def test_crashes_without_end_are_hopeless() -> None:
    policy = RestartPolicy("m.gguf")
    for _ in range(20):
        policy.record_load()
        policy.record_crash([])

    assert policy.is_hopeless
