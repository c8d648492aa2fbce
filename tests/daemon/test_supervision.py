"""The worker process: what happens when it fails, dies, or loses its parent."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from daemon.executor import FIRST_PAUSE, Event, Hardware, LocalExecutor
from plugin_client.wire.messages import Failed, JobInfo, Ping, Pong, Progress, Result, Status
from tests.daemon.conftest import Daemons, RawClient, RunningDaemon, blend, children, is_alive, new_id, wait_until
from tests.daemon.fake_engine import SLOW


@pytest.fixture
def daemon(daemons: Daemons) -> RunningDaemon:
    return daemons.start()


@pytest.fixture
def client(daemon: RunningDaemon, daemons: Daemons) -> Iterator[RawClient]:
    with daemons.client() as client:
        yield client


def test_a_killed_worker_fails_its_job_at_once_and_the_queue_goes_on(client: RawClient, daemon: RunningDaemon) -> None:
    job, queued = client.submit(blend("endless")), client.submit(blend(seed=6))
    client.wait_for_progress(job)
    worker = daemon.worker
    os.kill(worker, signal.SIGKILL)
    killed = time.monotonic()
    failed = client.outcome(job)
    assert time.monotonic() - killed < 0.3
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
        "the process that owns the model crashed (signal 6, Aborted)",
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
def executor(home: Path) -> Iterator[LocalExecutor]:
    with zmq.Context() as context:
        executor = LocalExecutor(context, home / "test", arguments("FakeEngine"))
        yield executor
        executor.stop()
        assert list(home.iterdir()) == []


def events_until(executor: LocalExecutor, kind: type[Event]) -> list[Event]:
    events: list[Event] = []

    def came() -> bool:
        events.extend(executor.poll())
        return any(isinstance(event, kind) for event in events)

    wait_until(came, f"{kind.__name__} comes")
    return events


def test_it_tells_what_computes_then_the_progress_then_the_result(executor: LocalExecutor) -> None:
    job = new_id()
    executor.run(job, blend("quick quick"))
    events = events_until(executor, Result)
    told = [event for event in events if isinstance(event, Hardware)]
    assert (told[0].device, told[0].precision) == ("cpu", "float32")
    assert told[0].memory > 0
    assert [event.step for event in events if isinstance(event, Progress)] == [0, 1]
    assert sum(isinstance(event, Result | Failed) for event in events) == 1


def test_its_socket_wakes_a_poller(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend())
    for _ in range(2):  # the worker's first words, then the job's
        assert executor.sources()[0].poll(5000)
        list(executor.poll())


def test_a_cancelled_job_ends_within_a_step(executor: LocalExecutor) -> None:
    job = new_id()
    executor.run(job, blend("slow " * 50))
    events_until(executor, Progress)
    asked = time.monotonic()
    executor.cancel(job)
    assert events_until(executor, Failed)[-1] == Failed(job, "cancelled", "cancelled while it ran")
    assert time.monotonic() - asked < 3 * SLOW


def test_a_cancelled_job_that_does_not_end_is_broken_off(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.executor.CANCEL_SECONDS", 0.3)
    job = new_id()
    executor.run(job, blend("endless"))
    events_until(executor, Progress)
    executor.cancel(job)
    assert events_until(executor, Failed)[-1] == Failed(job, "cancelled", "broken off, 0.3 s after it was cancelled")
    executor.run(new_id(), blend())
    assert events_until(executor, Result)


def test_a_cancelled_job_whose_model_is_being_loaded_is_broken_off_soon(executor: LocalExecutor) -> None:
    job = new_id()
    executor.run(job, blend("download"))
    events_until(executor, Progress)
    executor.cancel(job)
    assert events_until(executor, Failed)[-1] == Failed(job, "cancelled", "broken off, 2 s after it was cancelled")


def test_cancelling_another_job_does_nothing(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend("slow slow"))
    executor.cancel(new_id())
    assert events_until(executor, Result)


def test_a_job_given_while_no_worker_runs_starts_one(executor: LocalExecutor) -> None:
    executor.run(new_id(), blend("killed"))
    events_until(executor, Failed)
    assert not executor.sources()
    executor.run(new_id(), blend())
    assert executor.sources()
    events_until(executor, Result)


def test_it_waits_longer_after_each_death_in_a_row(home: Path) -> None:
    with zmq.Context() as context:
        executor = LocalExecutor(context, home / "test", arguments("StillbornEngine"))
        pauses = [pause_after_death(executor) for _ in range(3)]
        executor.stop()
    for pause, doublings in zip(pauses, range(3), strict=True):
        assert pause > 0.9 * FIRST_PAUSE * 2**doublings


def pause_after_death(executor: LocalExecutor) -> float:
    """Seconds until the next worker starts."""

    def has_worker() -> bool:
        list(executor.poll())
        return bool(executor.sources())

    wait_until(lambda: not has_worker(), "the worker dies")
    died = time.monotonic()
    wait_until(has_worker, "the next one starts")
    return time.monotonic() - died


def test_what_a_dying_worker_still_said_counts(executor: LocalExecutor) -> None:
    job = new_id()
    executor.run(job, blend())
    assert executor.sources()[0].poll(5000)
    time.sleep(0.5)
    worker = children(os.getpid())[-1]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not is_alive(worker), "the worker has ended")
    assert [type(event) for event in executor.poll() if isinstance(event, Result | Failed)] == [Result]
