"""A daemon is stopped or killed, and the next one has what it promised."""

from __future__ import annotations

import os
import signal

from plugin_client.wire.messages import (
    Accepted,
    Failed,
    JobInfo,
    JobList,
    ListJobs,
    Refusal,
    Release,
    Released,
    Result,
    Shutdown,
    Status,
    Submit,
    Watch,
)
from tests.daemon.conftest import Daemons, RawClient, blend, new_id, wait_until


def watched(client: RawClient, job: str) -> Result | Failed:
    client.ask(Watch(job), JobInfo)
    return client.outcome(job)


def test_a_killed_daemon_loses_no_job(daemons: Daemons) -> None:
    first = daemons.start()
    with daemons.client() as client:
        done, refused = client.run(blend(seed=5)), client.run(blend("refuse"))
        released = client.run(blend()).job
        client.ask(Release(released), Released)
        running = client.submit(blend("slow " * 5, seed=6))
        client.wait_for_progress(running)
        waiting = [client.submit(blend(seed=seed)) for seed in (7, 8)]
    first.kill()
    daemons.start()
    with daemons.client() as client:
        assert [info.job for info in client.ask(ListJobs(), JobList).jobs] == [done.job, refused.job, running, *waiting]
        assert (watched(client, done.job), watched(client, refused.job)) == (done, refused)
        assert client.ask(Status(released), Refusal).code == "gone"
        assert client.ask(Submit(done.job, blend(seed=9)), Refusal).code == "id-in-use"
        ends = [watched(client, job) for job in (running, *waiting)]
        assert [end.pictures[0].pixels[0] for end in ends if isinstance(end, Result)] == [6, 7, 8]


def test_a_job_that_kills_each_daemon_fails_at_last_and_the_others_go_on(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        fatal, waiting = client.submit(blend("endless")), client.submit(blend(seed=4))
        client.wait_for_progress(fatal)
        daemon.kill()
        daemon = daemons.start()
        wait_until(lambda: client.ask(Status(fatal), JobInfo).state == "running", "it is tried once more")
        daemon.kill()
        daemons.start()
        end = watched(client, fatal)
        assert isinstance(end, Failed)
        assert (end.code, "the daemon ended while it ran, 2 times" in end.message) == ("worker-died", True)
        assert isinstance(watched(client, waiting), Result)


def test_a_stop_keeps_what_runs_and_waits_and_says_so(daemons: Daemons) -> None:
    running, waiting = new_id(), new_id()
    for life in range(3):  # more often than a job is tried: it was no fault of the job
        daemon = daemons.start()
        with daemons.client() as client:
            if life == 0:
                client.submit(blend("endless"), running)
                client.submit(blend(seed=4), waiting)
            else:  # while a repeated submit is compared, another job may begin
                client.ask(Watch(running), JobInfo)
                client.ask(Watch(waiting), JobInfo)
            wait_until(lambda client=client: client.ask(Status(running), JobInfo).state == "running", "it runs")
            client.send(Shutdown())
            stopped = {}
            while len(stopped) < 2:
                request_id, message = client.receive()
                if isinstance(message, Refusal):
                    stopped[request_id] = message.code
            assert set(stopped.values()) == {"stopping"}
        assert daemon.wait() == 0
        assert "2 jobs are kept: they go on when a daemon is started again" in daemon.log
    daemons.start()
    with daemons.client() as client:
        assert client.ask(Status(waiting), JobInfo).state == "queued"
        assert client.ask(Status(running), JobInfo).state in ("queued", "running")


def test_nothing_is_written_where_nothing_is_to_be_kept(daemons: Daemons) -> None:
    daemon = daemons.start("--state=none")
    with daemons.client() as client:
        done = client.run(blend())
    daemon.kill()
    assert not list(daemons.home.rglob("*.sqlite3*"))
    daemons.start("--state=none")
    with daemons.client() as client:
        assert client.ask(Status(done.job), Refusal).code == "unknown-job"


def test_another_folder_keeps_the_jobs_and_serves_one_daemon_at_a_time(daemons: Daemons) -> None:
    folder = daemons.home / "elsewhere.jobs"
    daemon = daemons.start(f"--state={folder}")
    with daemons.client() as client:
        done = client.run(blend(seed=3))
    second = daemons.launch(f"--state={folder}", f"--endpoint=ipc://{daemons.home}/other.sock")
    assert second.wait() == 1
    assert second.log == (
        f"kandinsky-daemon: the jobs in {folder} cannot be opened: another daemon keeps its jobs there\n"
    )
    daemon.end()
    daemons.start(f"--state={folder}")
    with daemons.client() as client:
        assert watched(client, done.job) == done
    assert not (daemons.home / "daemon.jobs").exists()


def test_a_submit_is_on_the_disk_when_it_is_acknowledged(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        client.wait_for_progress(client.submit(blend("endless")))
        job = new_id()
        client.send(Submit(job, blend(seed=9)))
        while not isinstance(client.receive()[1], Accepted):
            pass
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.wait()
        daemons.start()
        assert client.ask(Status(job), JobInfo).state == "queued"
