"""The job runner alone: no process, no channel, no model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from daemon.errors import JobError
from daemon.executors.base import JobAdvanced, JobDone, JobEmbedded, JobFailed
from daemon.job_runner import JobRunner, RunnerEvent, RunnerState
from plugin_client.wire.limits import MAX_NOTE_CHARS
from tests.daemon.conftest import blend
from tests.daemon.fake_engine import FakeEngine, UnendingEngine

JOB = "a"


def runner(engine: type[FakeEngine] = FakeEngine) -> JobRunner:
    return JobRunner(lambda: engine(["m"], "cpu", "float32", None))


def never() -> bool:
    return False


def events(runner: JobRunner, prompt: str, is_cancelled: Callable[[], bool] = never) -> list[RunnerEvent]:
    return list(runner.run(JOB, blend(prompt), is_cancelled))


def test_a_job_tells_its_steps_and_ends_with_its_pictures() -> None:
    seen = events(runner(), "flash flash")
    assert [event.step for event in seen if isinstance(event, JobAdvanced)] == [0, 1]
    assert isinstance(seen[-1], JobDone)


def test_the_state_is_told_when_the_engine_is_built_at_each_new_stage_and_before_the_end() -> None:
    kinds = [type(event) for event in events(runner(), "flash flash") if not isinstance(event, JobEmbedded)]
    assert kinds == [RunnerState, JobAdvanced, RunnerState, JobAdvanced, RunnerState, JobDone]


def test_an_engine_is_built_once_and_before_the_first_job_if_that_is_wished() -> None:
    built: list[FakeEngine] = []

    def build() -> FakeEngine:
        built.append(FakeEngine(["m"], "cpu", "float32", None))
        return built[-1]

    prepared = JobRunner(build)
    state, *later = prepared.prepare()
    assert isinstance(state, RunnerState)
    assert later == [state]  # what it has learned meanwhile, which is nothing here
    assert (state.device, state.precision, [model.name for model in state.models]) == ("cpu", "float32", ["m"])
    events(prepared, "flash")
    events(prepared, "flash")
    assert len(built) == 1


def test_an_engine_that_cannot_be_built_fails_each_job_and_is_tried_again() -> None:
    is_there = False

    def build() -> FakeEngine:
        if not is_there:
            raise JobError("load-failed", "no model")
        return FakeEngine(["m"], "cpu", "float32", None)

    late = JobRunner(build)
    assert list(late.prepare()) == []
    assert events(late, "flash") == [JobFailed(JOB, "load-failed", "no model")]
    is_there = True
    assert isinstance(events(late, "flash")[-1], JobDone)


@pytest.mark.parametrize(
    ("prompt", "code"), [("refuse", "bad-request"), ("greedy", "out-of-memory"), ("stumble", "internal")]
)
def test_whatever_the_engine_raises_is_the_last_event_and_the_next_job_runs(prompt: str, code: str) -> None:
    steady = runner()
    end = events(steady, f"flash {prompt}")[-1]
    assert isinstance(end, JobFailed)
    assert (end.job, end.code) == (JOB, code)
    assert isinstance(events(steady, "flash")[-1], JobDone)


def test_a_reason_has_room_in_a_message() -> None:
    def build() -> FakeEngine:
        raise JobError("load-failed", "x" * 10 * MAX_NOTE_CHARS)

    [end] = events(JobRunner(build), "flash")
    assert isinstance(end, JobFailed)
    assert len(end.message) == MAX_NOTE_CHARS


def test_an_engine_without_a_result_is_a_mistake() -> None:
    end = events(runner(UnendingEngine), "flash")[-1]
    assert isinstance(end, JobFailed)
    assert end.code == "internal"


def test_a_cancelled_job_ends_after_the_step_and_closes_its_engine() -> None:
    steps: list[RunnerEvent] = []
    closed: list[bool] = []

    class Watched(FakeEngine):
        def run(self, job: str, blend, known=()):  # type: ignore[no-untyped-def]
            try:
                yield from super().run(job, blend)
            finally:
                closed.append(True)

    for event in runner(Watched).run(JOB, blend("flash " * 10), lambda: len(steps) >= 3):
        if isinstance(event, JobAdvanced):
            steps.append(event)
    assert isinstance(event, JobFailed)
    assert (event.code, len(steps), closed) == ("cancelled", 3, [True])


def test_steps_count_up() -> None:
    steps = [event.step for event in events(runner(), "flash " * 5) if isinstance(event, JobAdvanced)]
    assert all(later == earlier + 1 for earlier, later in pairwise(steps))
