"""Abandoned jobs: found, offered, opened and discarded, beside a main loop that a test runs by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plugin_client.editor.background import Background
from plugin_client.editor.geometry import Area
from plugin_client.editor.pending_jobs import Destination, PendingJob, lock_abandoned, write_and_lock
from plugin_client.editor.recovery import Recovery, RecoveryNotice
from plugin_client.job import BlendResult
from plugin_client.wire.messages import (
    Blend,
    Cancel,
    ClientMessage,
    JobState,
    Refusal,
    Release,
    Submit,
    TextItem,
)
from tests.client.scripted_daemon import Script, job_info
from tests.editor.conftest import HandLoop

JOBS = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(2)]
DESTINATION = Destination("key", "file:///f.xcf", "40 x 30, rgb", Area(1, 2, 3, 4))
BLEND = Blend((TextItem("a cat", 1.0),), width=32, height=16, seed=7)


class Bar:
    """Keeps what is offered and inserted."""

    def __init__(self, background: Background, loop: HandLoop) -> None:
        self.loop = loop
        self.notices: list[RecoveryNotice | None] = []
        self.inserted: list[tuple[PendingJob, BlendResult]] = []
        self.recovery = Recovery(background, loop, self._insert, self.notices.append)

    @property
    def last(self) -> RecoveryNotice | None:
        return self.notices[-1]

    def _insert(self, pending: PendingJob, result: BlendResult, on_inserted: Callable[[str], None]) -> None:
        self.inserted.append((pending, result))
        self.loop.on_main_thread(lambda: on_inserted("the layer"))


def abandon(*jobs: str) -> list[PendingJob]:
    """Pending jobs of a process that has ended."""
    pending = [PendingJob(job, f"job {number}", DESTINATION) for number, job in enumerate(jobs)]
    for one in pending:
        write_and_lock(one).release()
    return pending


def abandoned() -> list[str]:
    """The ids of the jobs that any process may take over."""
    locks = lock_abandoned()
    for lock in locks:
        lock.release()
    return [lock.pending.job for lock in locks]


def knows(script: Script, *states: JobState) -> None:
    """Let the daemon know the jobs, in these states."""
    script.jobs = tuple(job_info(job, state) for job, state in zip(JOBS, states, strict=False))
    script.submitted = {job: Submit(job, BLEND) for job, state in zip(JOBS, states, strict=False) if state == "done"}


def kinds(script: Script, kind: type[ClientMessage]) -> int:
    return sum(isinstance(message, kind) for message in script.asked)


@pytest.fixture
def bar(background: Background, loop: HandLoop) -> Bar:
    return Bar(background, loop)


def test_where_nothing_was_abandoned_nothing_is_asked_or_offered(loop: HandLoop, bar: Bar, script: Script) -> None:
    loop.tick()
    assert (bar.notices, script.asked) == ([], [])
    bar.recovery.close()
    assert loop.repeats == 0


def test_a_ready_picture_is_offered_and_inserted_and_forgotten(
    loop: HandLoop, background: Background, script: Script
) -> None:
    (pending,) = abandon(JOBS[0])
    knows(script, "done")
    bar = Bar(background, loop)
    loop.run_until(lambda: bar.notices)
    assert bar.last == RecoveryNotice("A picture from an earlier session is ready: job 0", True, True)
    bar.recovery.open()
    loop.run_until(lambda: kinds(script, Release))
    assert bar.inserted[0][0] == pending
    assert bar.inserted[0][1].pictures[0].width == 32
    assert bar.last == RecoveryNotice("Here it is: the layer")
    assert abandoned() == []


def test_opening_twice_inserts_once(loop: HandLoop, background: Background, script: Script) -> None:
    abandon(JOBS[0])
    knows(script, "done")
    bar = Bar(background, loop)
    loop.run_until(lambda: bar.notices)
    bar.recovery.open()
    bar.recovery.open()
    loop.run_until(lambda: kinds(script, Release))
    ends: list[Any] = []
    background.do(lambda: None, ends.append)
    loop.run_until(lambda: ends)
    assert len(bar.inserted) == 1


def test_a_job_that_still_runs_is_shown_and_its_discard_is_told_to_the_daemon(
    loop: HandLoop, background: Background, script: Script
) -> None:
    abandon(JOBS[0])
    knows(script, "running")
    script.watched = lambda job: [job_info(job)]  # type: ignore[method-assign]
    bar = Bar(background, loop)
    loop.run_until(lambda: bar.notices)
    assert bar.last is not None
    assert bar.last.text.startswith("A picture from an earlier session is still being made: job 0\nDenoising")
    assert (bar.last.can_open, bar.last.can_discard) == (False, True)
    bar.recovery.discard()
    loop.run_until(lambda: bar.last is None)
    assert (kinds(script, Cancel), abandoned()) == (1, [])


def test_ready_ones_are_offered_before_those_that_still_run(
    loop: HandLoop, background: Background, script: Script
) -> None:
    abandon(*JOBS)
    knows(script, "done", "running")
    bar = Bar(background, loop)
    loop.run_until(lambda: bar.notices)
    assert bar.last == RecoveryNotice("A picture from an earlier session is ready: job 0", True, True)
    bar.recovery.close()
    assert sorted(abandoned()) == JOBS


def test_what_the_daemon_no_longer_has_is_said_once(loop: HandLoop, background: Background, script: Script) -> None:
    abandon(JOBS[0])
    bar = Bar(background, loop)
    loop.run_until(lambda: bar.notices)
    loop.tick()
    assert bar.notices == [RecoveryNotice("The daemon no longer has what an earlier session asked for: job 0")]
    assert abandoned() == []


def test_where_no_daemon_answers_nothing_is_offered_and_nothing_given_up(
    loop: HandLoop, background: Background
) -> None:
    abandon(JOBS[0])
    bar = Bar(background, loop)
    ends: list[Any] = []
    background.do(lambda: None, ends.append)
    loop.run_until(lambda: ends)
    loop.tick()
    bar.recovery.close()
    assert (bar.notices, abandoned()) == ([], JOBS[:1])


def test_a_result_that_is_gone_when_it_is_opened_is_given_up(
    loop: HandLoop, background: Background, script: Script
) -> None:
    abandon(JOBS[0])
    knows(script, "done")
    script.watched = lambda job: [Refusal("unknown-job", "it was released")]  # type: ignore[method-assign]
    bar = Bar(background, loop)
    loop.run_until(lambda: bar.notices)
    bar.recovery.open()
    loop.run_until(lambda: len(bar.notices) == 2)
    assert bar.last == RecoveryNotice("it was released")
    assert (bar.inserted, abandoned()) == ([], [])
