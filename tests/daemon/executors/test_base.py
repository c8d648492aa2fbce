"""The seam: a real server over an executor of several machines that come, go and give jobs back."""

from __future__ import annotations

import select
import threading
import time
from dataclasses import replace

import pytest

from daemon.executors.base import JobFailed, Wakeup
from daemon.store import MemoryStore
from plugin_client.wire.messages import (
    Cancel,
    Failed,
    JobInfo,
    ListModels,
    ModelInfo,
    ModelList,
    Ping,
    Pong,
    Progress,
    Result,
    Status,
    Watch,
)
from tests.daemon.conftest import PATIENCE, RawClient, blend, job_record, new_id, wait_until
from tests.daemon.studio import MODEL, Studio, machine, serving, wait_for_jobs

pytestmark = pytest.mark.usefixtures("home")


def submitted(client: RawClient, count: int) -> list[str]:
    """Ids of new jobs with the seeds 0, 1, 2, ..."""
    return [client.submit(blend(seed=seed)) for seed in range(count)]


def accepted(store: MemoryStore, seed: int) -> str:
    """The id of a job that an earlier daemon has accepted and not run."""
    job = new_id()
    store.accept(job_record(job, accepted=time.time()), blend(seed=seed))
    return job


def seed_of(end: Result | Failed) -> int:
    assert isinstance(end, Result), end
    return end.pictures[0].pixels[0]


def state(client: RawClient, job: str) -> str:
    return client.ask(Status(job), JobInfo).state


def test_jobs_run_on_every_slot_of_every_machine_and_the_rest_waits() -> None:
    studio = Studio(machine("north", slots=2), machine("south"))
    with serving(studio) as client:
        jobs = submitted(client, 5)
        wait_for_jobs(studio, north=2, south=1)
        pong = client.ask(Ping(), Pong)
        assert (pong.running, pong.waiting) == (3, 2)
        assert [client.ask(Status(job), JobInfo).ahead for job in jobs] == [0, 0, 0, 3, 4]
        for job in jobs:  # each frees the slot of the next in the queue
            wait_until(lambda job=job: job in studio.started, "the job runs")
            studio.finish(job)
        assert {job: seed_of(end) for job, end in client.outcomes(*jobs).items()} == dict(
            zip(jobs, range(5), strict=True)
        )
    assert studio.started == jobs


def test_a_machine_that_joins_takes_what_waits() -> None:
    studio = Studio(machine("north"))
    with serving(studio) as client:
        submitted(client, 3)
        wait_for_jobs(studio, north=1)
        studio.join(machine("south", slots=2))
        wait_for_jobs(studio, north=1, south=2)


def test_jobs_of_a_lost_machine_run_elsewhere_before_those_that_came_later_and_end_once() -> None:
    studio = Studio(machine("north", slots=2), machine("south", slots=2))
    with serving(studio) as client:
        jobs = submitted(client, 6)
        wait_for_jobs(studio, north=2, south=2)
        lost = studio.running["south"]
        studio.lose("south")
        wait_until(lambda: all(state(client, job) == "queued" for job in lost), "the lost jobs wait")
        studio.join(machine("east", slots=2))
        wait_for_jobs(studio, north=2, east=2)
        assert set(studio.running["east"]) == set(lost)
        for job in jobs:
            wait_until(lambda job=job: any(job in run for run in studio.running.values()), "the job runs")
            studio.finish(job)
        ends = client.outcomes(*jobs)
        assert {job: seed_of(end) for job, end in ends.items()} == dict(zip(jobs, range(6), strict=True))
        client.ask(Ping(), Pong)
        assert client.hears_nothing(0.1)
    assert len(studio.started) == len(jobs) + len(lost)


def test_a_job_that_is_given_back_begins_anew() -> None:
    studio = Studio(machine("north"))
    with serving(studio) as client:
        [job] = submitted(client, 1)
        wait_for_jobs(studio, north=1)
        studio.advance(job, step=7)
        assert client.wait_for_progress(job).step == 7
        studio.lose("north")
        wait_until(lambda: state(client, job) == "queued", "the job waits")
        info = client.ask(Status(job), JobInfo)
        assert (info.stage, info.step, info.elapsed) == ("queued", 0, 0)
        studio.join(machine("south"))
        wait_for_jobs(studio, south=1)
        studio.advance(job, step=1)
        assert client.wait_for_progress(job).step == 1


def test_a_job_that_is_lost_twice_fails_with_the_reason() -> None:
    studio = Studio(machine("north"), machine("south"))
    with serving(studio) as client:
        [job] = submitted(client, 1)
        for _ in range(2):
            wait_until(lambda: any(studio.running.values()), "the job runs")
            studio.lose(studio.where(job), "its node was shut down")
        end = client.outcome(job)
        assert isinstance(end, Failed)
        assert end.code == "worker-died"
        assert "its node was shut down" in end.message
        assert state(client, job) == "failed"


def test_a_cancelled_job_whose_machine_is_lost_is_cancelled() -> None:
    studio = Studio(machine("north"), machine("south"))
    with serving(studio) as client:
        [job] = submitted(client, 1)
        wait_until(lambda: any(studio.running.values()), "the job runs")
        assert client.ask(Cancel(job), JobInfo).state == "cancelling"
        studio.lose(studio.where(job))
        end = client.outcome(job)
        assert isinstance(end, Failed)
        assert end.code == "cancelled"
    assert studio.started == [job]


def test_a_cancel_reaches_its_own_job_among_several() -> None:
    studio = Studio(machine("north", slots=3))
    with serving(studio) as client:
        first, second, third = submitted(client, 3)
        wait_for_jobs(studio, north=3)
        client.ask(Cancel(second), JobInfo)
        wait_until(lambda: studio.cancelled == [second], "the executor is asked")
        studio.fail(second, JobFailed(second, "cancelled", "cancelled while it ran"))
        assert client.outcome(second) == Failed(second, "cancelled", "cancelled while it ran")
        assert [state(client, job) for job in (first, third)] == ["running", "running"]


def test_a_job_waits_for_a_machine_that_has_its_model_and_holds_up_no_other() -> None:
    studio = Studio(machine("north", slots=2, models=["small"]))
    with serving(studio, models=["small", "large"]) as client:
        large = client.submit(blend(model="large"))
        small = client.submit(blend(model="small"))
        wait_for_jobs(studio, north=1)
        assert (state(client, large), state(client, small)) == ("queued", "running")
        studio.join(machine("south", models=["small", "large"]))
        wait_for_jobs(studio, north=1, south=1)
        assert studio.where(large) == "south"


def test_what_a_client_is_told_of_several_machines_is_their_sum() -> None:
    north = replace(machine("north", memory=3), device="Ascend", precision="float16")
    loaded = ModelInfo(MODEL, "at south", hash="f00d", loaded=True)
    south = replace(machine("south", memory=4), models=(loaded,))
    studio = Studio(north, south)
    with serving(studio) as client:
        wait_until(lambda: client.ask(Ping(), Pong).memory == 7, "both machines are known")
        pong = client.ask(Ping(), Pong)
        assert (pong.device, pong.precision) == ("Ascend, CPU", "float16, float32")
        assert client.ask(ListModels(), ModelList).models == (loaded,)
        studio.lose("south")
        wait_until(lambda: client.ask(Ping(), Pong).memory == 3, "a machine is gone")
        assert client.ask(ListModels(), ModelList).models == north.models
        studio.lose("north")
        wait_until(lambda: client.ask(Ping(), Pong).device == "", "no machine is left")
        assert client.ask(ListModels(), ModelList).models == (ModelInfo(MODEL, MODEL, hash="", loaded=False),)


def test_what_an_executor_tells_wakes_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.server.TICK", 60_000)
    studio = Studio(machine("north"))
    with serving(studio) as client:
        [job] = submitted(client, 1)
        wait_for_jobs(studio, north=1)
        studio.advance(job)
        assert isinstance(client.receive()[1], Progress)
        studio.finish(job)
        assert isinstance(client.receive()[1], Result)
        client.send(Ping())  # wakes it up once more, to stop


def test_jobs_of_an_earlier_daemon_run_in_their_order_and_its_results_are_there() -> None:
    store = MemoryStore()
    earlier = Studio(machine("north"))
    with serving(earlier, store) as client:
        done = client.submit(blend(seed=9))
        wait_for_jobs(earlier, north=1)
        earlier.finish(done)
        result = client.outcome(done)
    pending = [accepted(store, seed) for seed in range(3)]
    store.start(pending[0], now=1.0)  # it ran when its daemon ended
    studio = Studio(machine("north"))
    with serving(studio, store) as client:
        client.ask(Watch(done), JobInfo)
        assert client.outcome(done) == result
        for seed, job in enumerate(pending):
            assert client.ask(Watch(job), JobInfo).state in ("queued", "running")
            wait_until(lambda job=job: job in studio.started, "the job runs")
            studio.finish(job)
            assert seed_of(client.outcome(job)) == seed
    assert studio.started == pending


def test_a_job_with_which_the_daemon_has_ended_twice_is_not_run_again() -> None:
    store = MemoryStore()
    job = accepted(store, seed=1)
    for now in (1.0, 2.0):
        store.start(job, now)
    with serving(Studio(machine("north")), store) as client:
        assert client.ask(Watch(job), JobInfo).state == "failed"
        end = client.outcome(job)
        assert isinstance(end, Failed)
        assert end.code == "worker-died"


# --- the handle --------------------------------------------------------------------------------------------------


def is_readable(wakeup: Wakeup, seconds: float = 0.0) -> bool:
    return bool(select.select([wakeup], [], [], seconds)[0])


def test_a_handle_is_readable_from_set_to_clear_however_often_it_is_set() -> None:
    wakeup = Wakeup()
    assert not is_readable(wakeup)
    for _ in range(100_000):  # more than the system keeps of it
        wakeup.set()
    assert is_readable(wakeup)
    wakeup.clear()
    assert not is_readable(wakeup)
    wakeup.set()
    assert is_readable(wakeup)
    wakeup.close()


def test_another_thread_wakes_whoever_waits() -> None:
    wakeup = Wakeup()
    thread = threading.Timer(0.1, wakeup.set)
    thread.start()
    began = time.monotonic()
    assert is_readable(wakeup, PATIENCE)
    assert time.monotonic() - began < PATIENCE / 2
    thread.join()
    wakeup.close()
