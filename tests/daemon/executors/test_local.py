"""LocalExecutor and its worker process, also when that fails, dies, or loses its parent."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.executors.base import Event, JobAdvanced, JobDone, JobFailed, JobGivenBack, Machine, MachineChanged
from daemon.executors.local import FIRST_PAUSE, LocalExecutor
from plugin_client.wire.messages import Failed, JobInfo, Picture, PictureItem, Ping, Pong, Result, Status
from tests.daemon.conftest import (
    PATIENCE,
    Daemons,
    RawClient,
    RunningDaemon,
    blend,
    children,
    is_alive,
    new_id,
    wait_until,
)
from tests.daemon.fake_engine import SLOW


@pytest.fixture
def daemon(daemons: Daemons) -> RunningDaemon:
    return daemons.start()


@pytest.fixture
def client(daemon: RunningDaemon, daemons: Daemons) -> Iterator[RawClient]:
    with daemons.client() as client:
        yield client


def kill_worker_of(client: RawClient, daemon: RunningDaemon, job: str) -> int:
    """Kill the worker that runs a job, which it tells; its process id."""
    while client.ask(Status(job), JobInfo).stage != "denoising":
        time.sleep(0.01)
    os.kill(worker := daemon.worker, signal.SIGKILL)
    return worker


def test_a_job_whose_worker_is_killed_is_tried_once_more(client: RawClient, daemon: RunningDaemon) -> None:
    job = client.submit(blend("slow slow slow", seed=3))
    worker = kill_worker_of(client, daemon, job)
    assert client.outcome(job).pictures[0].pixels[0] == 3
    assert daemon.worker != worker


def test_a_job_that_loses_two_workers_fails_and_the_queue_goes_on(client: RawClient, daemon: RunningDaemon) -> None:
    job, queued = client.submit(blend("endless")), client.submit(blend(seed=6))
    worker = kill_worker_of(client, daemon, job)
    wait_until(lambda: client.ask(Status(job), JobInfo).state == "queued" or daemon.worker != worker, "it is lost")
    worker = kill_worker_of(client, daemon, job)
    failed = client.outcome(job)
    assert isinstance(failed, Failed)
    assert failed.code == "worker-died"
    assert "was killed (signal 9): if nobody did that, the machine ran out of memory" in failed.message
    assert client.outcome(queued).pictures[0].pixels[0] == 6
    assert daemon.worker != worker
    assert failed.message in daemon.log


def test_a_crash_is_named(client: RawClient) -> None:
    failed = client.run(blend("quick abort"))
    assert (failed.code, failed.message) == (
        "worker-died",
        "it was lost 2 times: the process that owns the model crashed (signal 6, Aborted)",
    )
    assert isinstance(client.run(blend()), Result)


def test_a_worker_that_dies_idle_is_started_again(client: RawClient, daemon: RunningDaemon) -> None:
    client.run(blend())
    worker = daemon.worker
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: daemon.worker != worker, "another worker runs")
    assert isinstance(client.run(blend()), Result)


def test_a_job_whose_worker_died_can_be_asked_about(client: RawClient) -> None:
    failed = client.run(blend("killed"))
    info = client.ask(Status(failed.job), JobInfo)
    assert (info.state, info.error) == ("failed", failed.message)


def test_a_stopped_worker_is_replaced_within_10_s_and_its_job_done(client: RawClient, daemon: RunningDaemon) -> None:
    job = client.submit(blend("slow " * 5, seed=3))
    client.wait_for_progress(job)
    worker = daemon.worker
    os.kill(worker, signal.SIGSTOP)
    stopped = time.monotonic()
    wait_until(lambda: daemon.worker != worker, "another worker runs")
    assert time.monotonic() - stopped < 10
    assert client.outcome(job).pictures[0].pixels[0] == 3
    assert "did nothing for" in daemon.log


def test_a_stopped_worker_ends_with_its_daemon(client: RawClient, daemon: RunningDaemon) -> None:
    client.run(blend())
    worker = daemon.worker
    os.kill(worker, signal.SIGSTOP)
    daemon.kill()
    wait_until(lambda: not is_alive(worker), "the worker has ended")


def test_no_worker_outlives_a_killed_daemon(client: RawClient, daemon: RunningDaemon) -> None:
    client.wait_for_progress(client.submit(blend("burn " * 100)))
    worker = daemon.worker
    daemon.kill()
    wait_until(lambda: not is_alive(worker), "the worker has ended")


def test_ctrl_c_in_the_terminal_does_not_reach_the_worker(client: RawClient, daemon: RunningDaemon) -> None:
    client.run(blend())  # a process that is being started leaves its parent's group a moment later
    assert os.getpgid(daemon.worker) != os.getpgid(daemon.process.pid)


def test_a_missing_model_fails_jobs_with_the_reason_until_it_comes(daemons: Daemons, tmp_path: Path) -> None:
    daemon = daemons.start(f"--model={tmp_path}", engine="LateEngine")
    worker = daemon.worker
    with daemons.client() as client:
        for _ in range(2):
            failed = client.run(blend())
            assert (failed.code, failed.message) == ("load-failed", f"{tmp_path} holds no model")
        (tmp_path / "model").touch()
        assert isinstance(client.run(blend()), Result)
    assert daemon.worker == worker
    assert "Traceback" not in daemon.log


def test_an_engine_that_cannot_be_imported_fails_jobs(daemons: Daemons) -> None:
    daemon = daemons.start(engine="NoSuchEngine")
    with daemons.client() as client:
        assert client.run(blend()).message == "AttributeError inside the daemon: its log has the details"
    assert "NoSuchEngine" in daemon.log


def test_an_engine_without_a_result_fails_its_job(daemons: Daemons) -> None:
    daemons.start(engine="UnendingEngine")
    with daemons.client() as client:
        assert client.run(blend()).code == "internal"


def test_a_worker_that_never_comes_up_fails_jobs(daemons: Daemons) -> None:
    daemons.start(engine="StillbornEngine")
    with daemons.client() as client:
        assert client.run(blend()).code == "worker-died"
        assert client.ask(Ping(), Pong).running == 0


def test_the_server_process_never_imports_the_models(daemon: RunningDaemon, client: RawClient) -> None:
    client.run(blend())
    mapped = Path(f"/proc/{daemon.process.pid}/maps").read_text()
    assert "zmq" in mapped
    assert "mindspore" not in mapped
    assert "numpy" not in mapped


# --- the executor alone ------------------------------------------------------------------------------------------


def arguments(engine: str) -> list[str]:
    return [
        f"--engine=tests.daemon.fake_engine:{engine}",
        "--model=m",
        "--device=cpu",
        "--precision=float32",
        "--log-level=error",
    ]


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    executor = LocalExecutor(arguments("FakeEngine"))
    yield executor
    executor.stop()


def events_until(executor: LocalExecutor, kind: type[Event]) -> list[Event]:
    """Events up to the first poll that brings one of a kind."""
    events: list[Event] = []

    def came() -> bool:
        events.extend(executor.poll())
        return any(isinstance(event, kind) for event in events)

    wait_until(came, f"{kind.__name__} comes")
    return events


def end_of(events: list[Event]) -> JobDone | JobFailed | JobGivenBack:
    """The one end of a job among events."""
    [end] = [event for event in events if isinstance(event, JobDone | JobFailed | JobGivenBack)]
    return end


def wait_for_news(executor: LocalExecutor) -> None:
    readable, _, _ = select.select([executor], [], [], PATIENCE)
    assert readable, "the executor does not wake whoever waits for it"


def workers() -> list[int]:
    return [pid for pid in children(os.getpid()) if is_alive(pid)]


def test_it_tells_of_its_machine_then_the_progress_then_the_result(executor: LocalExecutor) -> None:
    job = new_id()
    executor.run(job, blend("quick quick"))
    events = events_until(executor, JobDone)
    known = next(event.machine for event in events if isinstance(event, MachineChanged) and event.machine.device)
    assert (known.device, known.precision, known.slots, known.jobs) == ("cpu", "float32", 1, (job,))
    assert [model.name for model in known.models] == ["m"]
    assert known.memory > 0
    assert [event.step for event in events if isinstance(event, JobAdvanced)] == [0, 1]
    assert end_of(events).job == job
    assert [event.machine.jobs for event in events if isinstance(event, MachineChanged)][-1] == ()


def test_its_one_slot_is_free_until_a_job_runs_and_when_it_has_ended(executor: LocalExecutor) -> None:
    assert executor.free_slots("m") == 1
    executor.run(new_id(), blend())
    assert executor.free_slots("m") == 0
    events_until(executor, JobDone)
    assert executor.free_slots("m") == 1


def test_its_handle_wakes_whoever_waits_and_stays_the_same_over_the_lives_of_workers(executor: LocalExecutor) -> None:
    handle = executor.fileno()
    for prompt in ("quick", "killed", "quick"):
        job = new_id()
        executor.run(job, blend(prompt))
        events: list[Event] = []
        while not any(isinstance(event, JobDone | JobGivenBack) for event in events):
            wait_for_news(executor)
            events.extend(executor.poll())
    assert executor.fileno() == handle


def test_a_cancelled_job_ends_within_a_step(executor: LocalExecutor) -> None:
    job = new_id()
    executor.run(job, blend("slow " * 50))
    events_until(executor, JobAdvanced)
    asked = time.monotonic()
    executor.cancel(job)
    end = end_of(events_until(executor, JobFailed))
    assert (end.job, end.code) == (job, "cancelled")
    assert time.monotonic() - asked < 5 * SLOW


def test_a_cancelled_job_that_does_not_end_is_broken_off(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.executors.local.CANCEL_SECONDS", 0.3)
    job = new_id()
    executor.run(job, blend("endless"))
    events_until(executor, JobAdvanced)
    time.sleep(SLOW)  # it looks for a cancel once more before its step
    executor.cancel(job)
    assert end_of(events_until(executor, JobFailed)) == JobFailed(
        job, "cancelled", "broken off, 0.3 s after it was cancelled"
    )
    executor.run(new_id(), blend())
    assert events_until(executor, JobDone)


def test_a_cancelled_job_whose_model_is_being_loaded_is_broken_off_soon(executor: LocalExecutor) -> None:
    job = new_id()
    executor.run(job, blend("download"))
    events_until(executor, JobAdvanced)
    time.sleep(SLOW)  # it looks for a cancel once more before it downloads
    executor.cancel(job)
    assert end_of(events_until(executor, JobFailed)) == JobFailed(
        job, "cancelled", "broken off, 2 s after it was cancelled"
    )


def test_cancelling_another_job_does_nothing(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend("slow slow"))
    executor.cancel(new_id())
    assert isinstance(end_of(events_until(executor, JobDone)), JobDone)


def test_a_job_given_while_no_worker_runs_starts_one(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend("killed"))
    events_until(executor, JobGivenBack)
    assert workers() == []
    executor.run(new_id(), blend())
    assert len(workers()) == 1
    events_until(executor, JobDone)


def test_a_machine_that_has_lost_its_worker_stays_with_nothing_in_memory(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend("killed"))
    machine: Machine = [
        event.machine for event in events_until(executor, JobGivenBack) if isinstance(event, MachineChanged)
    ][-1]
    assert (machine.device, machine.memory, machine.jobs) == ("cpu", 0, ())
    assert [(model.name, model.loaded) for model in machine.models] == [("m", False)]


def test_a_worker_that_cannot_be_started_gives_its_job_back_and_is_tried_again(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patched:
        patched.setattr("subprocess.Popen", refuse)
        job = new_id()
        executor.run(job, blend())
        end = end_of(events_until(executor, JobGivenBack))
    assert end == JobGivenBack(job, f"the process that owns the model cannot be started: {os.strerror(errno.EAGAIN)}")
    executor.run(new_id(), blend())
    assert events_until(executor, JobDone)


def test_pictures_pass_both_ways_unharmed(executor: LocalExecutor) -> None:
    picture = Picture(2000, 2000, 3, os.urandom(2000 * 2000 * 3))
    executor.run(new_id(), blend(items=(PictureItem(picture, 1.0),), width=2048, height=2048, seed=5))
    done = end_of(events_until(executor, JobDone))
    assert isinstance(done, JobDone)
    assert done.pictures == (Picture(2048, 2048, 3, bytes([5]) * (2048 * 2048 * 3)),)


def test_an_idle_worker_whose_models_nobody_needs_is_started_anew_without_a_model(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.executors.idleness.UNLOAD_SECONDS", 0.2)
    executor.run(new_id(), blend())
    events_until(executor, JobDone)
    [first] = workers()
    wait_until(lambda: (list(executor.poll()), workers() not in ([first], []))[1], "another worker runs")
    monkeypatch.setattr("daemon.executors.idleness.UNLOAD_SECONDS", 100)
    executor.run(new_id(), blend())
    assert events_until(executor, JobDone)


def test_what_a_library_prints_goes_to_the_log_and_not_into_the_channel(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend("print quick"))
    assert isinstance(end_of(events_until(executor, JobDone)), JobDone)


def test_it_waits_longer_after_each_death_in_a_row() -> None:
    executor = LocalExecutor(arguments("StillbornEngine"))
    pauses = [pause_after_death(executor) for _ in range(3)]
    executor.stop()
    for pause, doublings in zip(pauses, range(3), strict=True):
        assert pause > 0.9 * FIRST_PAUSE * 2**doublings


def pause_after_death(executor: LocalExecutor) -> float:
    """Seconds until the next worker starts."""

    def has_worker() -> bool:
        list(executor.poll())
        return bool(workers())

    wait_until(has_worker, "a worker runs")
    wait_until(lambda: not has_worker(), "the worker dies")
    died = time.monotonic()
    wait_until(has_worker, "the next one starts")
    return time.monotonic() - died


def test_what_a_dying_worker_still_said_counts(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend())
    [worker] = workers()
    wait_for_news(executor)
    time.sleep(0.5)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not is_alive(worker), "the worker has ended")
    assert isinstance(end_of(list(executor.poll())), JobDone)
