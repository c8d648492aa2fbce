from __future__ import annotations

import pytest

from daemon.executors.base import JobDone
from daemon.executors.channel import Heartbeat
from daemon.executors.idleness import GROWN_BYTES, PAUSE_SECONDS, UNLOAD_SECONDS, Idleness
from daemon.job_runner import RunnerState
from plugin_client.wire.messages import ModelInfo

GB = 10**9


class Clock:
    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("daemon.executors.idleness.time.monotonic", lambda: clock.now)
    return clock


def run_job(idleness: Idleness, memory: int, loaded: bool = True, name: str = "m") -> None:
    idleness.hear(RunnerState("CPU", "float32", memory, (ModelInfo(name, "", "", loaded),)))
    idleness.hear(JobDone("a", (), {}))


def test_models_that_nobody_needs_are_let_go(clock: Clock) -> None:
    idleness = Idleness()
    run_job(idleness, GB)
    clock.now += UNLOAD_SECONDS - 1
    idleness.hear(Heartbeat())
    assert not idleness.reason()
    clock.now += 2
    assert "30 min" in idleness.reason()
    run_job(idleness, GB)
    assert not idleness.reason()


def test_a_worker_without_models_is_left_alone(clock: Clock) -> None:
    idleness = Idleness()
    run_job(idleness, GB, loaded=False)
    clock.now += 2 * UNLOAD_SECONDS
    assert not idleness.reason()


def test_a_worker_that_has_grown_is_started_anew_in_a_pause(clock: Clock) -> None:
    idleness = Idleness()
    run_job(idleness, GB)
    run_job(idleness, int(1.5 * GB) + GROWN_BYTES)
    clock.now += PAUSE_SECONDS + 1
    assert not idleness.reason()
    run_job(idleness, int(1.5 * GB) + GROWN_BYTES + 1)
    assert not idleness.reason()
    clock.now += PAUSE_SECONDS + 1
    assert "has grown from 1000 to" in idleness.reason()


def test_other_models_are_no_growth(clock: Clock) -> None:
    idleness = Idleness()
    run_job(idleness, GB)
    run_job(idleness, 10 * GB, name="large")
    clock.now += PAUSE_SECONDS + 1
    assert not idleness.reason()
