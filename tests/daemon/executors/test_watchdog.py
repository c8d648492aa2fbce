"""When a worker counts as hung. The real thing, a stopped process, is in test_local.py."""

from __future__ import annotations

import os

import pytest

from daemon.executors import watchdog
from daemon.executors.base import JobAdvanced, JobDone
from daemon.executors.channel import Heartbeat
from daemon.executors.watchdog import LEAST_STEP_SECONDS, SILENCE_SECONDS, STEP_TIMES, Watchdog
from plugin_client.wire.messages import Stage


class Clock:
    """The time, and what the worker has computed of it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.used: float | None = 5.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("daemon.executors.watchdog.time.monotonic", lambda: clock.now)
    monkeypatch.setattr(watchdog, "_processor_seconds", lambda pid: clock.used)
    return clock


@pytest.fixture
def dog(clock: Clock) -> Watchdog:
    return Watchdog(os.getpid())


def step(stage: Stage = "denoising", remaining: float = 1.0) -> JobAdvanced:
    return JobAdvanced("a", stage, 4, 5, 0, remaining)


def first_complaint(dog: Watchdog, clock: Clock, seconds: float, load: float = 0.0, beats: bool = False) -> float:
    """The seconds after which it complains, of so many that pass while the worker computes with a load; else 0."""
    began = clock.now
    while clock.now - began < seconds:
        clock.now += 0.5
        clock.used = None if clock.used is None else clock.used + 0.5 * load
        if beats:
            dog.hear(Heartbeat())
        if dog.complaint():
            return clock.now - began
    return 0.0


def test_silence_without_computing_is_soon_a_complaint(dog: Watchdog, clock: Clock) -> None:
    dog.hear(Heartbeat())
    assert SILENCE_SECONDS < first_complaint(dog, clock, 60) < 9


def test_a_worker_that_computes_without_a_heartbeat_is_left_alone(dog: Watchdog, clock: Clock) -> None:
    assert not first_complaint(dog, clock, 600, load=1.0)


def test_a_daemon_that_slept_does_not_blame_its_worker(dog: Watchdog, clock: Clock) -> None:
    clock.now += 3600
    assert not dog.complaint()


def test_silence_is_no_complaint_where_the_system_does_not_tell_what_computes(clock: Clock) -> None:
    clock.used = None
    assert not first_complaint(Watchdog(1), clock, 600)


def test_a_step_that_does_not_end_is_a_complaint_although_the_heart_beats(dog: Watchdog, clock: Clock) -> None:
    dog.hear(step())
    assert LEAST_STEP_SECONDS < first_complaint(dog, clock, 1000, load=1.0, beats=True) < LEAST_STEP_SECONDS + 2


def test_a_slow_step_has_many_times_its_estimate(dog: Watchdog, clock: Clock) -> None:
    dog.hear(step(remaining=60))
    assert first_complaint(dog, clock, 5000, load=1.0, beats=True) > STEP_TIMES * 60


@pytest.mark.parametrize("message", [step("loading"), step(remaining=-1), JobDone("a", (), {})])
def test_loading_a_first_step_and_idleness_have_longer_or_no_deadlines(
    dog: Watchdog, clock: Clock, message: JobAdvanced | JobDone
) -> None:
    dog.hear(step())
    dog.hear(message)
    assert not first_complaint(dog, clock, 3000, load=1.0, beats=True)


def test_it_reads_what_a_process_has_computed() -> None:
    before = watchdog._processor_seconds(os.getpid())
    assert before is not None
    until = before + 0.1
    while (watchdog._processor_seconds(os.getpid()) or 0) < until:
        pass
    assert watchdog._processor_seconds(2**22 + 1) is None
