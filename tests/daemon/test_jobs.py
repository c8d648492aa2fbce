from __future__ import annotations

import hashlib
import time

import pytest

from daemon.errors import RequestRefused
from daemon.jobs import IllegalMove, Job, Jobs, title
from plugin_client.wire.messages import (
    FAILURES,
    Blend,
    EmbedsItem,
    Failed,
    JobState,
    Picture,
    PictureItem,
    Progress,
    Result,
    TextItem,
)
from tests.daemon.conftest import blend, new_id

PIXELS = bytes(12)


def picture_blend(pixels: bytes = PIXELS) -> Blend:
    return Blend((PictureItem(Picture(2, 2, 3, pixels), 1.0),))


def submit(jobs: Jobs, request: Blend | None = None) -> Job:
    return jobs.submit(new_id(), request or blend())


def result(job: Job) -> Result:
    return Result(job.id, (Picture(2, 2, 3, PIXELS),), {"seed": 1})


@pytest.mark.parametrize(
    ("path", "last"),
    [
        (["running"], "done"),
        (["running"], "failed"),
        (["running", "cancelling"], "cancelled"),
        (["running", "cancelling"], "done"),
        ([], "cancelled"),
    ],
)
def test_legal_moves_lead_to_an_end(path: list[JobState], last: JobState) -> None:
    job = submit(Jobs())
    for state in [*path, last]:
        assert not job.is_over
        job.move(state)
    assert job.is_over


@pytest.mark.parametrize("state", ["done", "failed", "cancelling", "queued"])
def test_a_queued_job_cannot_skip_running(state: JobState) -> None:
    with pytest.raises(IllegalMove, match=f"is queued and cannot become {state}"):
        submit(Jobs()).move(state)


def test_an_ended_job_stays_ended() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=1)
    jobs.finish(job, result(job), now=2)
    with pytest.raises(IllegalMove):
        jobs.finish(job, Failed(job.id, "internal", ""), now=3)


@pytest.mark.parametrize("code", FAILURES)
def test_only_a_cancelled_job_is_not_a_failed_one(code: str) -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=0)
    jobs.finish(job, Failed(job.id, code, "why"), now=1)  # type: ignore[arg-type]
    assert job.state == ("cancelled" if code == "cancelled" else "failed")
    assert jobs.info(job, now=1).error == "why"


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
    assert jobs.find(job.id) is jobs.get(job.id) is job
    assert jobs.find(new_id()) is None


def test_a_cancelled_job_goes_on_until_it_has_ended() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.start(job, now=0)
    jobs.cancel(job)
    assert job.is_active
    jobs.finish(job, Failed(job.id, "cancelled", ""), now=1)
    assert job.state == "cancelled"


def test_a_large_submit_is_taken_without_looking_at_its_pixels() -> None:
    large = picture_blend(bytes(64 * 2**20))
    began = time.perf_counter()
    hashlib.sha256(large.items[0].picture.pixels)
    hashed = time.perf_counter()
    submit(Jobs(), large)
    assert time.perf_counter() - hashed < (hashed - began) / 10


def test_a_full_queue_refuses_until_a_job_leaves_it() -> None:
    jobs = Jobs(max_waiting=2)
    first = submit(jobs)
    submit(jobs)
    with pytest.raises(RequestRefused, match="2 jobs wait already") as refused:
        submit(jobs)
    assert refused.value.code == "queue-full"
    jobs.start(first, now=0)
    submit(jobs)


def test_the_bytes_of_waiting_pictures_are_limited() -> None:
    jobs = Jobs(max_waiting_bytes=len(PIXELS))
    submit(jobs, picture_blend())
    submit(jobs)
    with pytest.raises(RequestRefused, match="of pictures wait") as refused:
        submit(jobs, picture_blend())
    assert refused.value.code == "queue-full"


def test_an_unknown_or_forgotten_job_is_refused_by_name() -> None:
    jobs = Jobs()
    job = submit(jobs)
    jobs.forget(job.id)
    with pytest.raises(RequestRefused, match=job.id) as refused:
        jobs.get(job.id)
    assert refused.value.code == "unknown-job"


def test_info_counts_seconds_up_and_down() -> None:
    jobs = Jobs()
    job = submit(jobs)
    assert jobs.info(job, now=5).remaining == -1
    jobs.start(job, now=10)
    jobs.advance(job, Progress(job.id, "denoising", 3, 50, 0, elapsed=2, remaining=20), now=12)
    info = jobs.info(job, now=15)
    assert (info.stage, info.step, info.steps, info.elapsed, info.remaining) == ("denoising", 3, 50, 5, 17)
    jobs.finish(job, result(job), now=30)
    info = jobs.info(job, now=100)
    assert (info.state, info.elapsed, info.remaining) == ("done", 20, 0)


def test_a_title_says_what_is_made() -> None:
    items = (
        TextItem("a cat", 0.3),
        PictureItem(Picture(2, 2, 3, PIXELS), -0.5, label="sky.png"),
        EmbedsItem(PIXELS, 1.0),
        TextItem("", 2.0),
    )
    assert title(Blend(items, seed=42)) == "0.3 a cat + -0.5 sky.png + 1 a picture + 2 nothing, seed 42"


def test_a_title_is_one_short_printable_line() -> None:
    made = title(Blend((TextItem("a\n2026-01-01 INFO forged \x1b[31mline" + "x" * 4000, 0.1),) * 32, seed=2**53 - 1))
    assert made.isprintable()
    assert len(made) <= 120
    assert made.startswith("0.1 a 2026-01-01 INFO forged")
    assert made.endswith("…, seed 9007199254740991")
