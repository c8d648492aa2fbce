"""The promises of both stores, and which jobs the limits let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemon.disk_store import DiskStore
from daemon.store import MAX_GONE, RELEASED, EndedJob, Limits, MemoryStore, PendingJob, Store, beyond
from plugin_client.wire.messages import Failed, Picture, Result
from tests.daemon.conftest import blend, job_record

A, B, C, D = (f"{letter * 8}-0000-0000-0000-000000000000" for letter in "abcd")

MakeStore = Callable[[Limits], Store]


@pytest.fixture(params=["memory", "disk"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    with ExitStack() as stores:
        if request.param == "memory":
            yield MemoryStore
        else:
            yield lambda limits: stores.enter_context(DiskStore(tmp_path / "state", limits))


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return make_store(Limits())


def result(job: str, size: int = 2) -> Result:
    return Result(job, (Picture(size, size, 3, bytes(3 * size * size)),), {"seed": 1})


def accept(store: Store, *jobs: str) -> None:
    for job in jobs:
        store.accept(job_record(job), blend())


def finish(store: Store, *jobs: str, size: int = 2) -> None:
    for at, job in enumerate(jobs):
        accept(store, job)
        store.finish(job, result(job, size), now=at)


def test_an_outcome_takes_the_place_of_its_request(store: Store) -> None:
    store.accept(job_record(A), blend("words"))
    assert store.request(A) == blend("words")
    store.finish(A, result(A), now=0)
    assert store.outcome(A) == result(A)
    assert store.pending() == ()


def test_pending_jobs_are_told_in_the_order_of_their_acceptance_with_their_attempts(store: Store) -> None:
    accept(store, B, A, C)
    store.start(A, now=5)
    store.start(A, now=7)
    store.finish(B, result(B), now=8)
    assert store.pending() == (PendingJob(job_record(A), attempts=2, started=7), PendingJob(job_record(C)))


def test_an_attempt_that_was_broken_off_does_not_count(store: Store) -> None:
    accept(store, A)
    store.start(A, now=5)
    store.start(A, now=6)
    store.withdraw(A)
    assert store.pending() == (PendingJob(job_record(A), attempts=1),)


def test_ended_jobs_are_told_with_their_state_times_and_error(store: Store) -> None:
    accept(store, A, B, C)
    store.start(B, now=1)
    store.finish(B, result(B), now=2)
    store.finish(A, Failed(A, "cancelled", "by somebody"), now=3)
    store.finish(C, Failed(C, "internal", "a mistake"), now=4)
    assert store.ended() == (
        EndedJob(job_record(B), "done", started=1, ended=2, error="", bytes=12),
        EndedJob(job_record(A), "cancelled", started=None, ended=3, error="by somebody", bytes=0),
        EndedJob(job_record(C), "failed", started=None, ended=4, error="a mistake", bytes=0),
    )
    assert store.outcome(A) == Failed(A, "cancelled", "by somebody")


def test_a_forgotten_outcome_is_gone_but_for_a_word(store: Store) -> None:
    finish(store, A)
    assert store.gone(A) == store.gone(B) == ""
    store.forget(A, RELEASED)
    assert store.ended() == ()
    assert store.gone(A) == RELEASED


def test_words_are_not_kept_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("daemon.store", "daemon.disk_store"):
        monkeypatch.setattr(f"{module}.MAX_GONE", 2)
    finish(store, A, B, C)
    for job in (A, B, C):
        store.forget(job, RELEASED)
    assert [store.gone(job) for job in (A, B, C)] == ["", RELEASED, RELEASED]
    assert MAX_GONE >= 1000


def test_what_expires_is_dropped_and_leaves_the_limit_as_its_word(make_store: MakeStore) -> None:
    store = make_store(Limits(results=2))
    accept(store, B, A, D, C)
    for at, job in enumerate((A, B, C, D)):
        store.finish(job, result(job), now=at)
    assert set(store.expire(now=4)) == {A, B}
    assert [job.record.id for job in store.ended()] == [C, D]
    assert store.gone(A) == "2 newer results are kept, and no more"
    assert store.expire(now=4) == ()


# --- limits ------------------------------------------------------------------------------------------------------


def ended(*states: str, size: int = 12) -> list[EndedJob]:
    """Jobs named 0, 1, ... that ended at 0, 1, ... s; those that are done have pictures."""
    return [
        EndedJob(job_record(str(n)), state, None, n, "", size if state == "done" else 0)  # type: ignore[arg-type]
        for n, state in enumerate(states)
    ]


def let_go(jobs: list[EndedJob], now: float = 0, **limits: float) -> list[str]:
    return sorted(job for job, _ in beyond(Limits(**limits), jobs, now))  # type: ignore[arg-type]


def test_nothing_expires_within_the_limits() -> None:
    assert let_go(ended("done", "done", "failed"), now=10, results=2, result_bytes=24, others=1, age=10) == []


def test_the_least_recently_ended_go_first() -> None:
    assert let_go(ended(*["done"] * 4), results=2) == ["0", "1"]


def test_pictures_are_limited_in_bytes() -> None:
    assert let_go(ended(*["done"] * 3), result_bytes=30) == ["0"]


def test_the_newest_result_stays_however_large() -> None:
    assert let_go(ended("done", "done", "cancelled", size=48), result_bytes=30) == ["0"]


def test_outcomes_grow_old_whether_they_have_pictures_or_not() -> None:
    assert let_go(ended("done", "failed", "done"), now=11.5, age=10) == ["0", "1"]


def test_a_clock_that_is_set_back_lets_nothing_go() -> None:
    assert let_go(ended("done", "done"), now=-1e9) == []


def test_jobs_without_pictures_push_no_result_out() -> None:
    jobs = ended("done", *["cancelled"] * 150, *["failed"] * 150)
    assert let_go(jobs, results=1, others=200) == sorted(str(n) for n in range(1, 101))


def test_each_limit_leaves_its_own_word() -> None:
    jobs = ended("done", "done", "failed", "failed")
    words = [
        why
        for limits in (Limits(age=-1), Limits(results=1), Limits(result_bytes=12), Limits(others=1))
        for job, why in beyond(limits, jobs, now=3)
        if job in ("0", "2")
    ]
    assert len(words) == len({*words}) + 1  # of age, twice
