from __future__ import annotations

import pytest

from daemon.executors.base import JobAdvanced
from daemon.jobs import Job
from daemon.watchers import MAX_WATCHES, Asker, Watchers
from plugin_client.wire.messages import DaemonMessage, Failed, Progress
from tests.daemon.conftest import job_record

JOB = "a"
END = Failed(JOB, "internal", "a mistake")
FIRST, SECOND = Asker(b"1", 1), Asker(b"2", 1)


class Wire:
    """Notes what is sent to whom; a client in `full` takes nothing."""

    def __init__(self) -> None:
        self.sent: list[tuple[Asker, DaemonMessage]] = []
        self.full: set[Asker] = set()

    def send(self, asker: Asker, message: DaemonMessage) -> bool:
        if asker in self.full:
            return False
        self.sent.append((asker, message))
        return True


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr("daemon.watchers.PROGRESS_PAUSE", 0.0)
    return Wire()


@pytest.fixture
def watchers(wire: Wire) -> Watchers:
    watchers = Watchers(wire.send)
    watchers.add(JOB, FIRST)
    watchers.add(JOB, SECOND)
    return watchers


def job_at(step: int) -> Job:
    return Job(job_record(JOB), progress=JobAdvanced(JOB, "denoising", step, 50, 0, remaining=-1))


def test_progress_is_sent_once_to_each(watchers: Watchers, wire: Wire) -> None:
    job = job_at(1)
    watchers.send_progress(job)
    watchers.send_progress(job)
    assert [asker for asker, _ in wire.sent] == [FIRST, SECOND]
    job.progress = job_at(2).progress
    watchers.send_progress(job)
    assert steps_sent(wire) == [(FIRST, 1), (SECOND, 1), (FIRST, 2), (SECOND, 2)]


def test_progress_waits_until_it_is_due(watchers: Watchers, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    watchers.send_progress(job_at(1))
    monkeypatch.setattr("daemon.watchers.PROGRESS_PAUSE", 3600.0)
    watchers.send_progress(job_at(2))
    assert len(wire.sent) == 2


def test_who_cannot_take_a_progress_gets_the_newest_as_soon_as_it_can(watchers: Watchers, wire: Wire) -> None:
    wire.full = {FIRST}
    job = job_at(1)
    for step in (1, 2):
        job.progress = job_at(step).progress
        watchers.send_progress(job)
    wire.full = set()
    watchers.send_progress(job)
    watchers.send_progress(job)
    assert steps_sent(wire) == [(SECOND, 1), (SECOND, 2), (FIRST, 2)]


def test_who_comes_later_gets_the_progress_that_others_have_and_a_repeated_watch_no_second_one(
    watchers: Watchers, wire: Wire
) -> None:
    job = job_at(1)
    watchers.send_progress(job)
    late = Asker(b"3", 1)
    for asker in (FIRST, late):
        watchers.add(JOB, asker)
    watchers.send_progress(job)
    assert steps_sent(wire) == [(FIRST, 1), (SECOND, 1), (late, 1)]


def steps_sent(wire: Wire) -> list[tuple[Asker, int]]:
    return [(asker, message.step) for asker, message in wire.sent if isinstance(message, Progress)]


def test_an_end_that_cannot_be_taken_is_sent_again_and_to_nobody_twice(watchers: Watchers, wire: Wire) -> None:
    wire.full = {FIRST}
    watchers.send_end(job_at(1), END)
    assert watchers.watched() == (JOB,)
    wire.full = set()
    watchers.send_end(job_at(1), END)
    assert wire.sent == [(SECOND, END), (FIRST, END)]
    assert watchers.watched() == ()


def test_a_client_that_is_gone_is_told_nothing(watchers: Watchers, wire: Wire) -> None:
    watchers.remove_client(FIRST.client)
    watchers.send_end(job_at(1), END)
    assert wire.sent == [(SECOND, END)]


def test_a_job_that_is_forgotten_has_no_watchers(watchers: Watchers) -> None:
    watchers.remove_job(JOB)
    watchers.remove_job(JOB)
    assert watchers.watched() == ()


def test_the_oldest_watch_of_too_many_is_displaced(watchers: Watchers, wire: Wire) -> None:
    newer = [Asker(b"3", number) for number in range(MAX_WATCHES)]
    for asker in newer:
        watchers.add(JOB, asker)
    watchers.send_end(job_at(1), END)
    assert [asker for asker, _ in wire.sent] == newer
