"""The promise that no job is lost, under kills, floods and full disks. The long forms: see reliability.py."""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.disk_store import DiskStore
from daemon.job_kinds import digest_of
from plugin_client.cli.__main__ import main as run_command
from plugin_client.wire.messages import (
    Accepted,
    Cancel,
    Failed,
    JobInfo,
    Picture,
    PictureItem,
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
from tests.daemon import reliability
from tests.daemon.conftest import PATIENCE, Daemons, RawClient, blend, is_alive, job_record, new_id, wait_until
from tests.daemon.reliability import FORM, FULL, figure, times

pytestmark = [pytest.mark.timeout(3600 if FULL else 120)]


@pytest.fixture(scope="module", autouse=True)
def _page() -> Iterator[None]:
    yield
    if FORM:
        reliability.write_page()


BOUNDARIES_OF_A_JOB = 10  # of its request, its start and its result; each life has enough to do to come to its end


def end_of(client: RawClient, job: str) -> Result | Failed:
    client.ask(Watch(job), JobInfo)
    return client.outcome(job)


def test_kills_at_each_boundary_of_the_store_lose_no_job_and_make_none_twice(daemons: Daemons) -> None:
    """Each life of the daemon ends at another boundary; jobs are submitted until it does, and asked for at the end."""
    kills, rounds, boundaries = 0, times(10, 1), times(20, 4)  # 4: a request's file and its row
    for turn in range(rounds):
        seeds = {new_id(): seed for seed in range(20)}
        for boundary in range(1 + turn, boundaries + turn + 1):
            seeds |= {new_id(): len(seeds) + number for number in range(1 + boundary // BOUNDARIES_OF_A_JOB)}
            kills += live_until(daemons, boundary, seeds)
        daemon = daemons.start()
        with daemons.client() as client:
            for job, seed in seeds.items():
                client.send(Submit(job, blend(seed=seed)))  # an end may come before the next one is accepted
            ends = client.outcomes(*seeds)
            assert {job: pixel_of(end) for job, end in ends.items()} == {
                job: seed if isinstance(ends[job], Result) else -1 for job, seed in seeds.items()
            }
            reasons = {end.code for end in ends.values() if isinstance(end, Failed)}
            assert reasons <= {"worker-died"}
        assert "Traceback" not in daemon.log
        daemon.end()
    assert kills == rounds * boundaries
    figure(
        "kill -9 of the daemon before and after each rename and commit, 20 jobs queued",
        f"{kills} kills: 0 lost, 0 twice",
        "0 lost, 0 twice",
    )


def pixel_of(end: Result | Failed) -> int:
    return end.pictures[0].pixels[0] if isinstance(end, Result) else -1


def live_until(daemons: Daemons, boundary: int, seeds: dict[str, int]) -> bool:
    """Submit jobs to a daemon that ends at a boundary; whether it did."""
    daemon = daemons.launch_module("tests.daemon.mortal_daemon", str(boundary))
    with daemons.client() as client:
        for job, seed in seeds.items():
            client.send(Submit(job, blend(seed=seed)))
        deadline = time.monotonic() + PATIENCE
        while daemon.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    killed = daemon.process.poll() == -signal.SIGKILL
    daemon.end()
    return killed


def test_a_worker_that_is_killed_again_and_again_is_always_ready_again(daemons: Daemons) -> None:
    daemon = daemons.start()
    waits = []
    with daemons.client() as client:
        for number in range(times(100, 2)):
            job = client.submit(blend("endless", seed=number))
            for _ in range(2):
                wait_until(lambda job=job: is_under_way(client, job), "it runs")
                os.kill(daemon.worker, signal.SIGKILL)
                wait_until(lambda job=job: not is_under_way(client, job), "it is lost")
            killed = time.monotonic()
            assert end_of(client, job).code == "worker-died"
            assert isinstance(client.run(blend()), Result)
            waits.append(time.monotonic() - killed)
        assert client.ask(Ping(), Pong).running == 0
    assert max(waits) < 5
    figure(
        "kill -9 of the worker in the midst of a job",
        f"{2 * len(waits)} kills: each job tried twice, then failed; ready after {max(waits):.1f} s at most",
        "ready in 5 s and the time of loading; tried once more, then failed with the reason",
    )


def is_under_way(client: RawClient, job: str) -> bool:
    info = client.ask(Status(job), JobInfo)
    return (info.state, info.stage) == ("running", "denoising")


def test_clients_that_are_killed_leave_their_results_and_no_descriptor(daemons: Daemons) -> None:
    daemon = daemons.start()
    open_files = Path(f"/proc/{daemon.process.pid}/fd")
    jobs = {}
    with daemons.client() as client:
        client.run(blend())
        before = len(list(open_files.iterdir()))
        for number in range(times(200, 10)):
            with daemons.client() as dying:  # closed without a word, as by a kill
                jobs[dying.submit(blend("flash", seed=number))] = number
            if number >= 90:  # results are kept of the last 100
                assert isinstance(end_of(client, list(jobs)[number]), Result)
        wait_until(lambda: client.ask(Ping(), Pong).running + client.ask(Ping(), Pong).waiting == 0, "all are done")
        last = list(jobs)[-90:]
        assert [pixel_of(end_of(client, job)) for job in last] == [jobs[job] for job in last]
        wait_until(lambda: len(list(open_files.iterdir())) <= before + 2, "descriptors are closed")
    figure(
        "clients that vanish in the midst of a job",
        f"{len(jobs)} clients: all results claimed by another; no descriptor left",
        "claimable later; no descriptor leak",
    )


def test_a_greedy_client_does_not_keep_modest_ones_waiting(daemons: Daemons) -> None:
    daemons.start()
    modest_count = times(20, 5)
    with daemons.client() as greedy:
        for seed in range(51):  # the first of which runs
            greedy.submit(blend("quick" if seed else "long long", seed=seed))
        assert greedy.ask(Submit(new_id(), blend()), Refusal).code == "queue-full"
        modest = [daemons.client() for _ in range(modest_count)]
        ahead = []
        for client in modest:
            asked = client.ask(Submit(new_id(), blend("quick", seed=7)), Accepted)
            ahead.append(asked.ahead)
            client.job = asked.job
        for client in modest:
            assert isinstance(client.outcome(client.job), Result)
            client.socket.close()
    assert max(ahead) <= modest_count + 3
    figure(
        f"one client with 50 jobs beside {modest_count} with one each",
        f"at most {max(ahead)} jobs before a modest one's",
        "a modest client waits for one job of each other, and for the one that runs",
    )


def test_many_clients_with_many_jobs_are_all_answered(daemons: Daemons) -> None:
    daemons.start()
    clients = [daemons.client() for _ in range(times(100, 10))]
    per_client = times(10, 5)
    jobs = {client: [new_id() for _ in range(per_client)] for client in clients}
    try:
        for number in range(per_client):
            for client in clients:
                client.send(Submit(jobs[client][number], blend("flash", seed=number)))
        refused = 0
        for client in clients:
            ends = 0
            while ends < per_client:
                message = client.receive(seconds=120)[1]
                refused += isinstance(message, Refusal)
                ends += isinstance(message, Result | Failed | Refusal)
    finally:
        for client in clients:
            client.socket.close()
    assert refused == 0
    figure(
        f"{len(clients)} clients with {per_client} jobs each at the same time",
        f"{len(clients) * per_client} results, {refused} refused",
        "all answered",
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@contextmanager
def only_read(folder: Path) -> Iterator[None]:
    """Let nobody open a file below a folder to write it: what is open stays so."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte on a disk."""
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            try:
                while True:
                    file.write(b"0" * size)
            except OSError:
                continue


def test_a_full_disk_refuses_clearly_and_loses_nothing_that_was_accepted(daemons: Daemons, small_disk: Path) -> None:
    daemon = daemons.start(f"--state={small_disk / 'state'}")
    with daemons.client() as client:
        before = client.submit(blend("long", seed=4, width=64, height=64))
        failing = client.submit(blend("refuse"))
        fill(small_disk)
        refusal = client.ask(Submit(new_id(), blend()), Refusal)
        assert (refusal.code, "the disk is full" in refusal.message) == ("store-failed", True)
        ends = client.outcomes(before, failing)
        assert pixel_of(ends[before]) == 4
        assert ends[failing].code == "bad-request"
        (small_disk / "filler").unlink()
        assert isinstance(client.run(blend()), Result)
        daemon.kill()
        daemons.start(f"--state={small_disk / 'state'}")
        assert (end_of(client, before), end_of(client, failing)) == (ends[before], ends[failing])
    assert not list((small_disk / "state/files").glob("*.draft"))
    figure(
        "the disk fills (tmpfs of 8 MB) before and after acceptance",
        "refused with the reason; the accepted result and failure kept, also over a kill; no half files",
        "refused clearly, or kept; no half files",
    )


def test_a_disk_that_can_only_be_read_for_a_while_costs_no_job(
    daemons: Daemons, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemons.start(f"--state={small_disk / 'state'}")
    with daemons.client() as client:
        running = client.submit(blend("long", seed=4))
        waiting = client.submit(blend(seed=5))
        with only_read(small_disk / "state"):
            refusal = client.ask(Submit(new_id(), blend()), Refusal)
            assert (refusal.code, "the disk is read-only" in refusal.message) == ("store-failed", True)
            assert pixel_of(client.outcome(running)) == 4  # it is kept in memory
            wait_until(lambda: client.ask(Ping(), Pong).trouble == "disk-read-only", "the daemon notices")
            assert run_command(["status"]) == 0
            assert "no job can be kept: the disk for them cannot be written" in capsys.readouterr().out
        assert pixel_of(end_of(client, waiting)) == 5
        wait_until(lambda: client.ask(Ping(), Pong).trouble is None, "the daemon notices")
        wait_until(lambda: (small_disk / f"state/files/{running}.result").exists(), "the result is on the disk")
        client.ask(Release(running), Released)
    figure(
        "the disk cannot be written for a while, with a job that runs and one that waits",
        "new jobs refused with the reason; the result kept in memory, then on the disk; the other waits, then runs",
        "refused clearly, or kept and tried again",
    )


def test_a_daemon_on_a_disk_that_cannot_be_written_says_so_and_does_not_start(
    daemons: Daemons, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    daemon = daemons.launch(f"--state={small_disk / 'state'}")
    assert daemon.wait() == 1
    assert daemon.log == (f"kandinsky-daemon: jobs cannot be kept in {small_disk / 'state'}: the disk is read-only\n")


def test_cancels_are_acknowledged_at_once_and_stop_jobs_within_a_step(daemons: Daemons) -> None:
    daemons.start()
    acknowledged, ended = [], []
    with daemons.client() as client:
        for seed in range(times(100, 5)):
            job = client.submit(blend("slow " * 200, seed=seed))  # of 0.05 s each
            client.wait_for_progress(job)
            began = time.perf_counter()
            assert client.ask(Cancel(job), JobInfo).state in ("cancelling", "cancelled")
            acknowledged.append(time.perf_counter() - began)
            end = client.outcome(job)
            ended.append(time.perf_counter() - began)
            assert isinstance(end, Failed)
            assert end.code == "cancelled"
    assert max(ended) < 5  # of the 10 s that the job takes, on a machine that does much else
    figure(
        "a cancel of a job whose steps take 0.05 s",
        f"{len(ended)} cancels: acknowledged after {1000 * statistics.median(acknowledged):.0f} ms, "
        f"{1000 * max(acknowledged):.0f} ms at most; ended after {1000 * statistics.median(ended):.0f} ms, "
        f"{1000 * max(ended):.0f} ms at most",
        "acknowledged in 200 ms, stops within a step",
    )


@pytest.mark.slow  # loads the model, and computes
def test_a_job_of_the_small_model_outlives_a_kill_and_heeds_a_cancel(daemons: Daemons) -> None:
    daemon = daemons.start("--engine=daemon.engine:Engine")
    endless = blend("a red circle", width=64, height=64, steps=1000, seed=5)
    short = replace(endless, steps=3, count=20)
    with daemons.client() as client:
        expected = patient_outcome(client, client.submit(short))
        job = client.submit(short)
        client.wait_for_progress(job)
        os.kill(daemon.worker, signal.SIGKILL)
        end = patient_outcome(client, job)
        assert isinstance(end, Result)
        assert isinstance(expected, Result)
        assert end.pictures == expected.pictures
        job = client.submit(endless)
        wait_until(lambda: is_under_way(client, job), "it runs")
        client.ask(Cancel(job), JobInfo)
        end = end_of(client, job)
        assert isinstance(end, Failed)
        assert end.code == "cancelled"


def patient_outcome(client: RawClient, job: str) -> Result | Failed:
    """The end of a job whose model may first be loaded, on a machine that does much else."""
    while True:
        message = client.receive(seconds=300)[1]
        if isinstance(message, Result | Failed) and message.job == job:
            return message


def test_a_submit_of_4_mb_is_durable_soon(tmp_path: Path) -> None:
    request = blend(items=(PictureItem(Picture(1024, 1024, 4, os.urandom(2**22)), 1.0),))
    seconds = []
    with DiskStore(tmp_path / "state") as store:
        for _ in range(times(100, 10)):
            job = new_id()
            began = time.perf_counter()
            store.accept(job_record(job, result_bytes=3 * 2**20, digest=digest_of(request)), request)
            seconds.append(time.perf_counter() - began)
            store.finish(job, Failed(job, "internal", ""), now=0)
    median = statistics.median(seconds)
    assert median < 0.1  # a disk of any kind
    figure(
        "a request of 4 MB made durable before it is acknowledged",
        f"{1000 * median:.1f} ms, {1000 * max(seconds):.1f} ms at most, of {len(seconds)}",
        "under 20 ms",
    )


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_many_jobs_in_a_row_make_the_daemon_no_larger(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        for _ in range(times(1000, 40)):
            client.run(blend("flash"))
        pids = (daemon.process.pid, daemon.worker)
        before = [resident(pid) for pid in pids]
        for _ in range(times(500, 20)):
            client.run(blend("flash"))
        grown = [resident(pid) / first - 1 for pid, first in zip(pids, before, strict=True)]
    assert max(grown) < (0.02 if FULL else 0.05)
    figure(
        f"{times(500, 20)} jobs in a row of an engine that only pretends, after {times(1000, 40)}",
        f"the daemon grew by {grown[0]:.1%}, its worker by {grown[1]:.1%}",
        "drift under 2 %",
    )


@pytest.mark.slow  # loads the model, and computes
def test_many_jobs_of_the_small_model_make_its_worker_no_larger(daemons: Daemons) -> None:
    daemon = daemons.start("--engine=daemon.engine:Engine")
    request = blend("a red circle", width=64, height=64, steps=2, prior_steps=2)
    with daemons.client() as client:
        for seed in range(times(60, 8)):
            assert isinstance(client.run(replace(request, seed=seed)), Result)
        before = resident(daemon.worker)
        for seed in range(times(300, 20)):
            client.run(replace(request, seed=seed))
        grown = resident(daemon.worker) / before - 1
    assert grown < (0.02 if FULL else 0.03)
    figure(
        f"{times(300, 20)} jobs in a row of the small model in one worker, after {times(60, 8)}",
        f"the worker grew by {grown:.1%} of {before / 2**20:.0f} MiB",
        "drift under 2 %",
    )


def test_random_kills_of_the_daemon_leave_a_store_that_opens(daemons: Daemons) -> None:
    """Kills at any moment, not at boundaries alone, with pictures of some size."""
    picture = PictureItem(Picture(256, 256, 3, bytes(3 * 2**16)), 1.0)
    accepted: set[str] = set()
    draw = random.Random(1)
    for _ in range(times(50, 2)):
        daemon = daemons.start()
        with daemons.client() as client:
            asked = {client.send(Submit(job, blend(items=(picture,)))): job for job in (new_id() for _ in range(5))}
            until = time.monotonic() + draw.random() * 0.3
            while (left := until - time.monotonic()) > 0 and client.socket.poll(1000 * left):
                request_id, message = client.receive()
                if isinstance(message, Accepted):
                    accepted.add(asked[request_id])
        worker = daemon.worker
        daemon.kill()
        wait_until(lambda worker=worker: not is_alive(worker), "the worker has ended")
    daemons.start()
    kept = list(accepted)[:90]
    with daemons.client() as client:
        states = {client.ask(Status(job), JobInfo).state for job in kept}
        assert states <= {"queued", "running", "done", "failed"}
        assert all(isinstance(end_of(client, job), Result | Failed) for job in kept)
    figure(
        "kill -9 of the daemon at any moment, with jobs just submitted",
        f"{times(50, 2)} kills, {len(accepted)} jobs acknowledged: 0 lost",
        "0 lost",
    )
