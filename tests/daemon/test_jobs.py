from __future__ import annotations

import pytest

from daemon.errors import RequestRefused
from daemon.executors.base import JobAdvanced
from daemon.jobs import IllegalMove, Job, Jobs, progress_message
from plugin_client.wire.messages import FAILURES, Failed, FailureCode, JobState, Picture, Progress, Result
from tests.daemon.conftest import job_record, new_id


def submit(jobs: Jobs, picture_bytes: int = 0, client: str = "one") -> Job:
    jobs.check_room(client, picture_bytes)
    job = Job(job_record(new_id(), client, picture_bytes=picture_bytes))
    jobs.add(job)
    return job


def result(job: Job) -> Result:
    return Result(job.id, (Picture(2, 2, 3, bytes(12)),), {"seed": 1})


def advanced(job: Job, remaining: float = 20) -> JobAdvanced:
    return JobAdvanced(job.id, "denoising", 3, 50, 0, remaining=remaining)


@pytest.mark.parametrize(
    ("path", "last"),
    [
        (["running"], "done"),
        (["running"], "failed"),
        (["running", "cancelling"], "cancelled"),
        (["running", "cancelling"], "done"),
        ([], "cancelled"),
        ([], "failed"),
        (["running", "queued", "running"], "done"),
    ],
)
def test_legal_moves_lead_to_an_end(path: list[JobState], last: JobState) -> None:
    job = submit(Jobs())
    for state in [*path, last]:
        assert not job.is_over
        job.move(state)
    assert job.is_over


@pytest.mark.parametrize("state", ["done", "cancelling", "queued"])
def test_a_queued_job_cannot_skip_running(state: JobState) -> None:
    job = submit(Jobs())
    with pytest.raises(IllegalMove):
        job.move(state)
    assert job.state == "queued"


def test_a_job_that_is_being_cancelled_does_not_go_back_to_the_queue() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=0)
    jobs.cancel(job)
    with pytest.raises(IllegalMove):
        jobs.give_back(job)


def test_a_job_that_is_given_back_has_its_place_in_the_queue_again_and_begins_anew() -> None:
    jobs = Jobs()
    first, second = submit(jobs), submit(jobs)
    jobs.start(first, now=1)
    jobs.advance(first, advanced(first), now=2)
    jobs.give_back(first)
    assert jobs.waiting() == (first, second)
    info = jobs.info(first, now=3)
    assert (info.state, info.stage, info.step, info.elapsed, info.remaining) == ("queued", "queued", 0, 0, -1)
    assert first.attempts == 1


def test_an_ended_job_stays_ended() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=1)
    jobs.finish(job, result(job), now=2)
    with pytest.raises(IllegalMove):
        jobs.finish(job, Failed(job.id, "internal", ""), now=3)


@pytest.mark.parametrize("code", FAILURES)
def test_only_a_cancelled_job_is_not_a_failed_one(code: FailureCode) -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=0)
    assert jobs.info(job, now=1).ended < 0
    jobs.finish(job, Failed(job.id, code, "why"), now=1)
    assert job.state == ("cancelled" if code == "cancelled" else "failed")
    assert jobs.info(job, now=1).error == "why"
    assert jobs.info(job, now=4).ended == 3
    assert jobs.info(job, now=0).ended == 0  # the clock was set back


def test_jobs_wait_in_the_order_of_arrival() -> None:
    jobs = Jobs()
    first, second, third = submit(jobs), submit(jobs), submit(jobs)
    assert [jobs.ahead(job) for job in (first, second, third)] == [0, 1, 2]
    jobs.start(first, now=0)
    assert jobs.waiting() == (second, third)
    assert [jobs.ahead(job) for job in (first, second, third)] == [0, 1, 2]
    jobs.finish(first, result(first), now=1)
    assert [jobs.ahead(job) for job in (second, third)] == [0, 1]


def test_a_job_is_found_by_its_id() -> None:
    jobs = Jobs()
    job = submit(jobs)
    assert jobs.find(job.id) is job
    assert jobs.find(new_id()) is None


def test_a_cancelled_job_goes_on_until_it_has_ended() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=0)
    jobs.cancel(job)
    assert job.is_active
    jobs.finish(job, Failed(job.id, "cancelled", ""), now=1)
    assert job.state == "cancelled"


def test_a_full_queue_refuses_until_a_job_leaves_it() -> None:
    jobs = Jobs(max_waiting=2)
    first = submit(jobs)
    submit(jobs)
    with pytest.raises(RequestRefused) as refused:
        submit(jobs)
    assert refused.value.code == "queue-full"
    jobs.start(first, now=0)
    submit(jobs)


def test_the_bytes_of_waiting_pictures_are_limited() -> None:
    jobs = Jobs(max_waiting_bytes=12)
    submit(jobs, 12)
    submit(jobs, 0)
    with pytest.raises(RequestRefused) as refused:
        submit(jobs, 1)
    assert refused.value.code == "queue-full"


def run_all(jobs: Jobs) -> list[str]:
    """Run what waits, one job after the other; the clients in the order of their jobs."""
    served = []
    while jobs.waiting():
        job = jobs.waiting()[0]
        jobs.start(job, now=0)
        jobs.finish(job, result(job), now=1)
        served.append(job.record.client)
    return served


def test_clients_take_turns() -> None:
    jobs = Jobs()
    for _ in range(3):
        submit(jobs, client="greedy")
    submit(jobs, client="one")
    late = submit(jobs, client="one")
    submit(jobs, client="two")
    assert jobs.ahead(late) == 4
    assert run_all(jobs) == ["greedy", "one", "two", "greedy", "one", "greedy"]


def test_a_client_that_comes_later_waits_for_one_job_of_each_other_and_saves_no_turns_up() -> None:
    jobs = Jobs()
    for _ in range(20):
        submit(jobs, client="greedy")
    for _ in range(5):
        jobs.start(first := jobs.waiting()[0], now=0)
        jobs.finish(first, result(first), now=1)
    for _ in range(3):
        submit(jobs, client="late")
    assert run_all(jobs)[:7] == ["greedy", "late", "greedy", "late", "greedy", "late", "greedy"]


def test_a_client_is_not_starved_by_an_endless_stream_of_new_ones() -> None:
    jobs = Jobs()
    for _ in range(5):
        submit(jobs, client="patient")
    served = []
    for number in range(10):
        submit(jobs, client=f"new {number}")
        job = jobs.waiting()[0]
        jobs.start(job, now=0)
        jobs.finish(job, result(job), now=1)
        served.append(job.record.client)
    assert served.count("patient") >= 3  # of as many clients as wait then


def test_one_client_that_fills_its_share_leaves_room_for_others_until_all_is_full() -> None:
    jobs = Jobs(max_waiting=2, max_all_waiting=3)
    submit(jobs)
    submit(jobs)
    with pytest.raises(RequestRefused, match="of yours"):
        submit(jobs)
    submit(jobs, client="two")
    with pytest.raises(RequestRefused, match="3 jobs wait"):
        submit(jobs, client="three")


def test_info_counts_seconds_up_and_down() -> None:
    jobs = Jobs()
    job = submit(jobs)
    assert jobs.info(job, now=5).remaining == -1
    jobs.start(job, now=10)
    jobs.advance(job, advanced(job, remaining=20), now=12)
    info = jobs.info(job, now=15)
    assert (info.stage, info.step, info.steps, info.elapsed, info.remaining) == ("denoising", 3, 50, 5, 17)
    jobs.finish(job, result(job), now=30)
    info = jobs.info(job, now=100)
    assert (info.state, info.elapsed, info.remaining) == ("done", 20, 0)


def test_progress_on_the_wire_counts_from_the_start_of_the_job() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=10)
    jobs.advance(job, advanced(job, remaining=20), now=12)
    message = progress_message(job, advanced(job), now=13)
    assert message == Progress(job.id, "denoising", 3, 50, 0, elapsed=3, remaining=19)


def test_a_clock_that_is_set_back_makes_no_time_negative_or_longer() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=1000)
    jobs.advance(job, advanced(job, remaining=20), now=1010)
    info = jobs.info(job, now=10)
    assert (info.elapsed, info.remaining) == (0, 20)
