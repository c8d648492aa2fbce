"""The scheduler over a store that fails at each of its calls. Store first, then move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

import pytest

from daemon.errors import RequestRefused, StoreError
from daemon.executors.base import Event, JobAdvanced, JobDone, JobFailed, JobGivenBack
from daemon.jobs import Job, Outcome
from daemon.metrics import Metrics
from daemon.scheduler import Scheduler
from daemon.store import Limits, MemoryStore
from daemon.store_thread import Then
from plugin_client.wire.messages import (
    Accepted,
    Cancel,
    Failed,
    JobInfo,
    Ping,
    Pong,
    Refusal,
    Release,
    Released,
    Result,
    Status,
    Submit,
    Watch,
)
from tests.daemon.conftest import blend, job_record, new_id, wait_until
from tests.daemon.studio import MODEL, FailingStore, Studio, machine, serving

SEED = 7

T = TypeVar("T")


@pytest.fixture
def kept() -> MemoryStore:
    """The store behind the failing one."""
    return MemoryStore()


@pytest.fixture
def store(kept: MemoryStore) -> FailingStore:
    return FailingStore(kept)


@pytest.fixture
def studio() -> Iterator[Studio]:
    studio = Studio(machine("north"))
    yield studio
    studio.stop()


@pytest.fixture
def scheduler(studio: Studio, store: FailingStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    monkeypatch.setattr("daemon.scheduler.HOUSEKEEPING_PAUSE", 0.0)
    with closing(Scheduler(studio, store, [MODEL], Metrics())) as scheduler:
        yield scheduler


def answer(scheduler: Scheduler, ask: Callable[[Then[T]], None]) -> T:
    """What is answered once the store is done. Raises: RequestRefused."""
    answers: list[Future[T]] = []
    ask(answers.append)
    scheduler.settle()
    (only,) = answers
    return only.result()


def submit(scheduler: Scheduler, job: str | None = None, seed: int = SEED) -> Job:
    wanted = job or new_id()
    return answer(scheduler, lambda then: scheduler.submit(wanted, blend(seed=seed), "one", owner="", then=then))


def outcome(scheduler: Scheduler, job: Job) -> Outcome:
    return answer(scheduler, lambda then: scheduler.fetch(job, then))


def release(scheduler: Scheduler, job: Job) -> None:
    answer(scheduler, lambda then: scheduler.release(job, then))


def cancel(scheduler: Scheduler, job: Job) -> None:
    scheduler.cancel(job)
    scheduler.settle()


def turn(scheduler: Scheduler) -> None:
    """A turn, and what the store makes of it."""
    scheduler.turn()
    scheduler.settle()


def keep_house(scheduler: Scheduler) -> None:
    scheduler.keep_house()
    scheduler.settle()


def run_to_the_end(scheduler: Scheduler, studio: Studio, job: Job) -> None:
    turn(scheduler)
    studio.finish(job.id)
    turn(scheduler)


def refusal_of(action: Callable[[], object]) -> str:
    """The code with which something is refused."""
    with pytest.raises(RequestRefused) as refused:
        action()
    return refused.value.code


# --- each call of the store fails --------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["pending", "ended"])
def test_a_store_that_cannot_be_read_stops_the_start(scheduler: Scheduler, store: FailingStore, call: str) -> None:
    store.broken = {call}
    with pytest.raises(StoreError):
        scheduler.restore()
    assert scheduler.jobs.all() == ()


def test_a_request_that_cannot_be_kept_is_refused_and_never_runs(
    scheduler: Scheduler, studio: Studio, store: FailingStore
) -> None:
    store.broken = {"accept"}
    assert refusal_of(lambda: submit(scheduler)) == "store-failed"
    turn(scheduler)
    assert (scheduler.jobs.all(), studio.started) == ((), [])
    store.broken = set()
    job = submit(scheduler)
    run_to_the_end(scheduler, studio, job)
    assert job.state == "done"


def test_a_repeated_submit_is_the_same_job_as_long_as_it_is_the_same_request(
    scheduler: Scheduler, studio: Studio
) -> None:
    job = submit(scheduler)
    for state in ("queued", "done"):
        assert job.state == state
        assert submit(scheduler, job.id) is job
        assert refusal_of(lambda: submit(scheduler, job.id, seed=SEED + 1)) == "id-in-use"
        if state == "queued":
            run_to_the_end(scheduler, studio, job)
    assert studio.started == [job.id]


def test_a_released_job_is_gone_and_is_not_made_again(scheduler: Scheduler, studio: Studio) -> None:
    job = submit(scheduler)
    run_to_the_end(scheduler, studio, job)
    release(scheduler, job)
    assert refusal_of(lambda: submit(scheduler, job.id)) == refusal_of(lambda: scheduler.get(job.id)) == "gone"
    assert refusal_of(lambda: scheduler.get(new_id())) == "unknown-job"


def test_cancelled_jobs_push_no_result_out(scheduler: Scheduler, studio: Studio) -> None:
    done = submit(scheduler)
    run_to_the_end(scheduler, studio, done)
    for _ in range(101):
        cancel(scheduler, submit(scheduler))
    keep_house(scheduler)
    assert isinstance(outcome(scheduler, scheduler.get(done.id)), Result)


def test_a_job_whose_start_cannot_be_kept_waits_until_it_can(
    scheduler: Scheduler, studio: Studio, store: FailingStore
) -> None:
    job = submit(scheduler)
    store.broken = {"start"}
    for _ in range(3):
        turn(scheduler)
    assert (job.state, studio.started) == ("queued", [])
    assert len(store.failures) > 1
    store.broken = set()
    run_to_the_end(scheduler, studio, job)
    assert isinstance(outcome(scheduler, job), Result)


def test_a_job_whose_request_cannot_be_read_fails_and_never_runs(
    scheduler: Scheduler, studio: Studio, store: FailingStore, kept: MemoryStore
) -> None:
    job = submit(scheduler)
    store.broken = {"request"}
    turn(scheduler)
    assert (job.state, studio.started) == ("failed", [])
    end = outcome(scheduler, job)
    assert isinstance(end, Failed)
    assert end.code == "store-failed"
    assert kept.outcome(job.id) == end


def test_a_result_that_neither_disk_nor_memory_can_keep_becomes_a_failure_with_the_reason(
    scheduler: Scheduler, studio: Studio, kept: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.scheduler.MAX_UNKEPT_BYTES", 0)
    keep = kept.finish

    def keep_no_pictures(job_id: str, outcome: Result | Failed, now: float) -> None:
        if isinstance(outcome, Result):
            raise StoreError("no space left on the disk")
        keep(job_id, outcome, now)

    monkeypatch.setattr(kept, "finish", keep_no_pictures)
    job = submit(scheduler)
    run_to_the_end(scheduler, studio, job)
    assert job.state == "failed"
    end = outcome(scheduler, job)
    assert isinstance(end, Failed)
    assert (end.code, "no space left on the disk" in end.message) == ("store-failed", True)
    assert kept.outcome(job.id) == end


@pytest.mark.parametrize(("room", "state"), [(2**20, "done"), (0, "failed")])
def test_an_end_that_cannot_be_kept_is_told_and_kept_as_soon_as_that_is_possible(
    scheduler: Scheduler,
    studio: Studio,
    store: FailingStore,
    kept: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    room: int,
    state: str,
) -> None:
    monkeypatch.setattr("daemon.scheduler.MAX_UNKEPT_BYTES", room)
    job = submit(scheduler)
    store.broken = {"finish"}
    run_to_the_end(scheduler, studio, job)
    end = outcome(scheduler, job)
    assert job.state == state
    assert isinstance(end, Result if room else Failed)
    assert [pending.record.id for pending in kept.pending()] == [job.id]
    assert refusal_of(lambda: release(scheduler, job)) == "store-failed"
    keep_house(scheduler)
    store.broken = set()
    keep_house(scheduler)
    assert (kept.pending(), kept.outcome(job.id)) == ((), end)
    assert outcome(scheduler, job) == end
    release(scheduler, job)
    assert scheduler.jobs.all() == kept.ended() == ()


def test_a_cancelled_job_stays_cancelled_where_that_cannot_be_kept(
    scheduler: Scheduler, store: FailingStore, kept: MemoryStore
) -> None:
    job = submit(scheduler)
    store.broken = {"finish"}
    cancel(scheduler, job)
    end = outcome(scheduler, job)
    assert isinstance(end, Failed)
    assert (job.state, end.code) == ("cancelled", "cancelled")
    store.broken = set()
    release(scheduler, job)  # keeps it first
    assert scheduler.jobs.all() == kept.ended() == ()


def test_an_outcome_that_cannot_be_read_now_is_refused_and_still_there(
    scheduler: Scheduler, studio: Studio, store: FailingStore
) -> None:
    job = submit(scheduler)
    run_to_the_end(scheduler, studio, job)
    store.broken = {"outcome"}
    assert refusal_of(lambda: outcome(scheduler, job)) == "store-failed"
    store.broken = set()
    assert isinstance(outcome(scheduler, job), Result)


def test_a_job_that_cannot_be_dropped_is_still_known(scheduler: Scheduler, studio: Studio, store: FailingStore) -> None:
    job = submit(scheduler)
    run_to_the_end(scheduler, studio, job)
    store.broken = {"forget"}
    assert refusal_of(lambda: release(scheduler, job)) == "store-failed"
    assert scheduler.get(job.id) is job
    store.broken = set()
    release(scheduler, job)
    assert scheduler.jobs.find(job.id) is None


def test_jobs_that_cannot_expire_now_expire_later(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.scheduler.HOUSEKEEPING_PAUSE", 0.0)
    store = FailingStore(MemoryStore(Limits(age=-1.0)))
    scheduler = Scheduler(studio, store, [MODEL], Metrics())
    job = submit(scheduler)
    run_to_the_end(scheduler, studio, job)
    store.broken = {"expire"}
    keep_house(scheduler)
    assert scheduler.get(job.id) is job
    store.broken = set()
    keep_house(scheduler)
    assert scheduler.jobs.find(job.id) is None


def test_the_state_of_a_job_never_says_more_than_the_store(
    scheduler: Scheduler, studio: Studio, kept: MemoryStore
) -> None:
    """Seen at each call of the store: it is told before the job moves."""
    seen: list[tuple[str, str]] = []
    for name in ("accept", "start", "finish", "forget"):
        call = getattr(kept, name)

        def note(*args: object, name: str = name, call: Callable[..., object] = call) -> object:
            known = scheduler.jobs.all()
            seen.append((name, known[0].state if known else "unknown"))
            return call(*args)

        setattr(kept, name, note)
    job = submit(scheduler)
    run_to_the_end(scheduler, studio, job)
    release(scheduler, job)
    assert seen == [("accept", "unknown"), ("start", "queued"), ("finish", "running"), ("forget", "done")]


@pytest.mark.parametrize(
    "late",
    [
        lambda job: JobAdvanced(job, "denoising", 9, 9, 0, remaining=0),
        lambda job: JobGivenBack(job, "too late"),
        lambda job: JobDone(job, (), {}),
        lambda job: JobFailed(job, "internal", "too late"),
    ],
)
def test_an_executor_that_tells_of_a_job_that_does_not_run_changes_nothing(
    scheduler: Scheduler, studio: Studio, late: Callable[[str], Event]
) -> None:
    ended = submit(scheduler)
    run_to_the_end(scheduler, studio, ended)
    result = outcome(scheduler, ended)
    waiting = submit(scheduler)
    for job in (ended.id, waiting.id, new_id()):
        studio.tell(late(job))
    turn(scheduler)
    assert (ended.state, outcome(scheduler, ended), ended.progress) == ("done", result, None)
    assert (waiting.state, studio.started) == ("running", [ended.id, waiting.id])


# --- what an earlier daemon left ---------------------------------------------------------------------------------


def test_pending_and_ended_jobs_are_restored_with_what_was_known_of_them(
    scheduler: Scheduler, kept: MemoryStore
) -> None:
    ended, waiting = (job_record(new_id(), title=title) for title in ("a cat", "a dog"))
    kept.accept(ended, blend())
    kept.accept(waiting, blend())
    kept.start(ended.id, now=10.0)
    kept.finish(ended.id, Failed(ended.id, "out-of-memory", "not enough memory"), now=30.0)
    scheduler.restore()
    scheduler.settle()
    first, second = scheduler.jobs.all()
    info = scheduler.jobs.info(first, now=100.0)
    assert (info.state, info.elapsed, info.error, info.title) == ("failed", 20.0, "not enough memory", "a cat")
    assert (second.record, second.state) == (waiting, "queued")


# --- and a real server lives -------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["accept", "request", "start", "finish", "outcome", "forget", "expire"])
@pytest.mark.usefixtures("home")
def test_a_daemon_lives_through_each_failure_and_works_again_after_it(
    store: FailingStore, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.scheduler.HOUSEKEEPING_PAUSE", 0.0)
    studio = Studio(machine("north"))
    with serving(studio, store) as client:
        store.broken = {call}
        job = new_id()
        answers = {Accepted, Refusal}
        client.send(Submit(job, blend(seed=SEED)))
        answer = client.receive()[1]
        assert type(answer) in answers
        if isinstance(answer, Accepted) and call not in ("request", "start"):
            wait_until(lambda: studio.started == [job], "the job runs")
            studio.finish(job)
            wait_until(lambda: client.ask(Status(job), JobInfo).state in ("done", "failed"), "the job is over")
        client.send(Release(job))
        wait_until(lambda: call in store.failures, f"{call} fails")
        store.broken = set()
        assert client.ask(Ping(), Pong)
        if call == "start":  # the job has waited for it
            wait_until(lambda: studio.started == [job], "the job runs")
            studio.finish(job)
        again = client.submit(blend(seed=SEED))
        wait_until(lambda: again in studio.started, "the next job runs")
        studio.finish(again)
        client.ask(Watch(again), JobInfo)
        assert isinstance(client.outcome(again), Result)
        client.ask(Cancel(again), JobInfo)
        assert client.ask(Release(again), Released) == Released(again)
