"""The executor of a Ray cluster, on a real one of several nodes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import RayError

from daemon.engine import Engine
from daemon.errors import DaemonError
from daemon.executors import ray_member
from daemon.executors.base import JobDone, JobFailed, JobGivenBack
from daemon.executors.ray import Node, connect, living_nodes, workers_on
from daemon.executors.ray_member import Lost, Member
from install.doctor import check_ray
from install.environment import Environment
from plugin_client.client import Client
from plugin_client.sweep import Sweep
from plugin_client.wire.messages import Failed, JobInfo, Ping, Pong, Refusal, Result, Status, Submit
from tests.daemon.cluster import CLUSTER_PATIENCE, Studio, driven, studio
from tests.daemon.conftest import (
    PROJECT,
    Daemons,
    RawClient,
    RunningDaemon,
    blend,
    children,
    is_alive,
    new_id,
    wait_until,
)
from tests.daemon.fake_engine import STRUCK_SEED

FRAMES = 50
WORDS = "slow " * 100  # 10 s, of which no test waits for the end


@pytest.fixture(scope="module")
def nodes() -> Iterator[Studio]:
    """A cluster of two machines, of one processor and of three."""
    with studio() as made:
        made.join(1)
        made.join(3)
        yield made


# --- on a cluster ------------------------------------------------------------------------------------------------


@pytest.mark.slow  # a cluster starts
def test_the_machines_of_a_cluster_work_side_by_side(nodes: Studio) -> None:
    with driven(nodes.address) as run:
        run.wait_for_slots(2)
        assert [machine.slots for machine in run.machines.values()] == [1, 1]

        whole = run.run(new_id(), blend("slow", count=3, seed=7))
        assert isinstance(whole, JobDone)
        assert [picture.pixels[0] for picture in whole.pictures] == [7, 7, 7]

        one, other = new_id(), new_id()
        for job in (one, other):
            run.executor.run(job, blend(WORDS))
            run.wait_for_steps(job)
        assert run.where(one) != run.where(other)
        assert run.executor.free_slots("") == 0

        run.executor.cancel(one)
        ended = run.end(one)
        assert isinstance(ended, JobFailed)
        assert ended.code == "cancelled"
        run.wait_for_slots(1)  # the other goes on
        assert isinstance(run.run(new_id(), blend("abort")), JobGivenBack)  # the process that owns the model dies,
        assert isinstance(run.run(new_id(), blend("quick")), JobDone)  # and is started again on its machine

        both = new_id()
        run.executor.cancel(other)
        run.wait_for_slots(2)
        run.executor.run(both, blend(WORDS, count=2))
        run.wait(lambda: len(run.where(both)) == 2, "both machines work on it")
        run.executor.cancel(both)
        assert isinstance(run.end(both), JobFailed)
        run.wait_for_slots(2)


@pytest.mark.slow
def test_a_killed_actor_gives_its_job_back_and_is_made_again(nodes: Studio) -> None:
    with driven(nodes.address) as run:
        run.wait_for_slots(2)
        job = new_id()
        run.executor.run(job, blend(WORDS, count=2))
        run.wait(lambda: len(run.where(job)) == 2, "both machines work on it")
        killed = nodes.actors()[0]
        models = children(killed)
        assert models
        os.kill(killed, signal.SIGKILL)
        lost = run.end(job)
        assert isinstance(lost, JobGivenBack)
        assert "was lost" in lost.reason
        run.wait_for_slots(2)  # the rest of the job was ended, too
        assert [end for end in run.ends if end.job == job] == [lost]
        wait_until(lambda: not any(map(is_alive, models)), "the model's process has ended with its actor")


@pytest.mark.slow
def test_machines_leave_and_join_while_jobs_run(nodes: Studio) -> None:
    with driven(nodes.address, workers_per_node=2) as run:
        run.wait_for_slots(3)  # the machine of one processor has room for one
        guest: Any = nodes.join(1)
        run.wait_for_slots(4)
        before = dict(run.machines)
        jobs = [new_id() for _ in range(4)]
        for job in jobs:
            run.executor.run(job, blend(WORDS))
            run.wait_for_steps(job)
        nodes.kill(guest)
        run.wait(lambda: len(run.machines) == 2, "the machine is missed")
        (lost,) = run.ends
        assert isinstance(lost, JobGivenBack)
        (gone,) = before.keys() - run.machines.keys()
        assert gone in lost.reason
        assert sum(len(run.where(job)) for job in jobs) == 3  # the others go on


@pytest.mark.slow
def test_a_worker_with_another_model_is_refused_by_name(nodes: Studio, caplog: pytest.LogCaptureFixture) -> None:
    with driven(nodes.address, engine="StrangeEngine") as run:
        run.wait(lambda: "is refused" in caplog.text, "one is refused")
        run.wait_for_slots(1)
        assert "its model 'fake' has the fingerprint weights" in caplog.text
        assert isinstance(run.run(new_id(), blend("quick", count=2)), JobDone)


@pytest.mark.slow
def test_the_doctor_has_every_machine_answer(nodes: Studio) -> None:
    (finding,) = check_ray(Environment(PROJECT), [nodes.address])
    assert re.match(r"2\S+ for Python 3\S+; a task came back from 3 machines in ", finding.found)
    assert not finding.is_amiss
    (nowhere,) = check_ray(Environment(PROJECT), ["127.0.0.1:1"])
    assert "there is no Ray cluster to join at '127.0.0.1:1'" in nowhere.found
    assert nowhere.is_amiss


@pytest.mark.slow  # loads the embedded model
def test_a_daemon_blends_on_a_cluster(nodes: Studio, daemons: Daemons) -> None:
    daemon = daemons.start(f"--ray={nodes.address}", "--engine=daemon.engine:Engine", patience=CLUSTER_PATIENCE)
    with daemons.client() as client:
        wanted = blend("a red circle", width=64, height=64, steps=2, count=2)
        job = client.submit(wanted)
        assert client.socket.poll(CLUSTER_PATIENCE * 1000)  # the libraries of the model are loaded meanwhile
        result = client.outcome(job)
    assert isinstance(result, Result)
    alone = Engine(["embedded"], "cpu", "auto", memory=None).run(job, wanted)
    stop(daemon)
    wait_until(lambda: not nodes.actors(), "the actors have ended with their daemon")
    assert [event.pictures for event in alone if isinstance(event, JobDone)] == [result.pictures]


@pytest.mark.slow
def test_a_daemon_that_is_stopped_leaves_its_jobs_to_the_next_one_and_no_actor(nodes: Studio, daemons: Daemons) -> None:
    with started(nodes, daemons) as (daemon, client):
        asked = {client.send(Submit(new_id(), blend(WORDS))) for _ in range(3)}  # one more than machines
        wait_until(lambda: at_work(client) == (2, 1), "both machines work", CLUSTER_PATIENCE)
        stop(daemon)
        left: dict[int, str] = {}
        while len(left) < len(asked):
            number, answer = client.receive()
            assert not isinstance(answer, Result | Failed)
            if isinstance(answer, Refusal):
                left[number] = answer.code
        assert left == dict.fromkeys(asked, "stopping")
    wait_until(lambda: not nodes.actors(), "the actors have ended with their daemon")
    with started(nodes, daemons) as (_, client):
        wait_until(lambda: at_work(client) == (2, 1), "the next daemon goes on", CLUSTER_PATIENCE)


@pytest.mark.slow
def test_a_daemon_that_keeps_nothing_ends_its_jobs_with_the_reason_and_its_actors(
    nodes: Studio, daemons: Daemons
) -> None:
    with started(nodes, daemons, "--state=none") as (daemon, client):
        jobs = [client.submit(blend("endless", seed=seed)) for seed in range(3)]  # one more than machines
        wait_until(lambda: stages(client, jobs[:2]) == {"denoising"}, "both machines work", CLUSTER_PATIENCE)
        stop(daemon)
        ends = client.outcomes(*jobs)
    reasons = [end.message for job in jobs if isinstance(end := ends[job], Failed)]
    assert reasons == [*2 * ["broken off, because the daemon was stopped"], "cancelled before it began"]
    wait_until(lambda: not nodes.actors(), "the actors have ended with their daemon")


@contextmanager
def started(nodes: Studio, daemons: Daemons, *arguments: str) -> Iterator[tuple[RunningDaemon, RawClient]]:
    """A daemon whose two machines are ready, and a client of it."""
    daemon = daemons.start(f"--ray={nodes.address}", *arguments, patience=CLUSTER_PATIENCE)
    with daemons.client() as client:
        wait_until(lambda: len(client.ask(Ping(), Pong).machines) == 2, "both machines are ready", CLUSTER_PATIENCE)
        yield daemon, client


def at_work(client: RawClient) -> tuple[int, int]:
    """How many jobs run and wait."""
    pong = client.ask(Ping(), Pong)
    return pong.running, pong.waiting


def stages(client: RawClient, jobs: Sequence[str]) -> set[str]:
    return {client.ask(Status(job), JobInfo).stage for job in jobs}


def stop(daemon: RunningDaemon) -> None:
    daemon.process.terminate()
    assert daemon.process.wait(CLUSTER_PATIENCE) == 0


@pytest.mark.slow
def test_what_is_embedded_by_one_worker_is_handed_to_the_others(nodes: Studio, tmp_path: Path) -> None:
    with driven(nodes.address, "EmbeddingEngine", model=str(tmp_path)) as run:
        run.wait_for_slots(2)
        assert isinstance(run.run(new_id(), blend("quick slow", count=2)), JobDone)  # one job on two workers
        jobs = [new_id() for _ in range(6)]
        for job in jobs:  # frames of a sweep
            run.wait(lambda: run.executor.free_slots(""), "a worker is free")
            run.executor.run(job, blend("slow quick"))
        assert {type(run.end(job)) for job in jobs} == {JobDone}
        assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["quick slow", "slow quick"]


@pytest.mark.slow
def test_a_job_makes_the_embeddings_itself_that_a_lost_worker_was_to_make(nodes: Studio, tmp_path: Path) -> None:
    with driven(nodes.address, "EmbeddingEngine", model=str(tmp_path)) as run:
        run.wait_for_slots(2)
        first, second, third = new_id(), new_id(), new_id()
        run.executor.run(first, blend("slow"))
        run.executor.run(second, blend("slow", seed=0))
        (begun,) = run.wait(lambda: list(tmp_path.iterdir()), "one of them embeds")
        maker = int(begun.name.partition("-")[0])
        (actor,) = [actor for actor in nodes.actors() if maker in children(actor)]
        os.kill(actor, signal.SIGKILL)
        assert isinstance(run.end(first), JobGivenBack)
        assert isinstance(run.end(second), JobDone)
        assert len(list(tmp_path.iterdir())) == 2
        run.wait_for_slots(2)
        run.executor.run(first, blend(WORDS))
        run.executor.run(third, blend(WORDS))
        run.wait(lambda: len(list(tmp_path.iterdir())) == 3, "the first embeds for both")
        run.executor.cancel(third)  # which waits
        ended = run.end(third)
        assert isinstance(ended, JobFailed)
        assert ended.code == "cancelled"
        run.executor.cancel(first)


@pytest.mark.slow  # the last one on this cluster, which has one machine less afterwards
@pytest.mark.timeout(300)  # Ray takes its time to miss a node
def test_a_machine_is_killed_in_a_sweep_and_every_frame_arrives_once(
    nodes: Studio, daemons: Daemons, tmp_path: Path
) -> None:
    machines = {machine.node_id[:4]: machine for machine in (*nodes.machines, nodes.join(1))}
    daemon = daemons.start(
        f"--ray={nodes.address}", f"--model={tmp_path}", engine="StruckEngine", patience=CLUSTER_PATIENCE
    )
    with Client(timeout=CLUSTER_PATIENCE) as client:
        wait_until(lambda: len(client.ping().machines) == 3, "three machines are ready", CLUSTER_PATIENCE)
        frames = [replace(blend("slow slow"), seed=n) for n in range(FRAMES)]
        sweep = Sweep(client.submit_blend, frames)
        while not sweep.is_over:
            sweep.poll(0.1)
            if len(machines) == 3 and (tmp_path / "begun").exists():
                (struck,) = [job for job in client.jobs() if job.title.endswith(f"seed {STRUCK_SEED}")]
                (doomed,) = struck.machines
                nodes.kill(machines.pop(doomed[-4:]))
        made = sweep.result()
    assert len(machines) == 2
    assert [picture.pixels[0] for picture in made.pictures] == list(range(FRAMES))
    assert [recipe["seed"] for recipe in made.recipes] == list(range(FRAMES))
    lines = daemon.log.splitlines()
    assert sum("done in" in line for line in lines) == FRAMES
    (lost,) = [line for line in lines if "goes back to the queue" in line]
    assert struck.job[:8] in lost


# --- without one -------------------------------------------------------------------------------------------------


def test_without_ray_the_option_names_what_to_install() -> None:
    program = "import sys; sys.modules['ray'] = None; from daemon.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "--ray=auto", "--state=none"]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.strip().endswith("run pip install 'kandinsky-blend[ray]'")


@pytest.mark.parametrize(
    ("address", "words"),
    [("studio3", "no address of a Ray cluster"), ("127.0.0.1:1", "there is no Ray cluster to join at '127.0.0.1:1'")],
)
def test_an_address_without_a_cluster_is_refused_at_once(address: str, words: str) -> None:
    with pytest.raises(DaemonError, match=words):
        connect(address)


@pytest.mark.parametrize(
    ("node", "wanted", "memory", "number"),
    [
        ((8, 0), None, None, 1),
        ((8, 0), 4, None, 4),
        ((2, 0), 4, None, 2),
        ((0, 0), 4, None, 0),
        ((64, 8), None, None, 8),
        ((64, 8), 16, None, 8),
        ((8, 0), 8, 30 * 10**9, 2),
        ((8, 0), 1, 10**12, 0),
    ],
)
def test_a_machine_gets_the_workers_that_it_has_room_for(
    node: tuple[int, int], wanted: int | None, memory: int | None, number: int
) -> None:
    assert workers_on(Node("n", "n", *node, memory=64 * 10**9), wanted, memory) == number


def test_machines_that_have_left_are_not_listed() -> None:
    listed = {"NodeID": "1f0c9a", "NodeManagerHostname": "studio3", "Resources": {"CPU": 8.0, "NPU": 2.0}}
    nodes = living_nodes([{**listed, "Alive": True}, {**listed, "Alive": False}])
    assert nodes == [Node("1f0c9a", "studio3-1f0c", processors=8, accelerators=2, memory=0)]


def test_a_worker_that_is_lost_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_member, "FIRST_PAUSE", 0.0)
    told: list[Any] = []

    def make(life: int) -> Any:
        raise RayError(f"no room for life {life}")

    member = Member("studio3/1", make, lambda member, news: told.append(news))
    member.join()
    assert [news.for_good for news in told] == [False] * ray_member.MAX_RESTARTS + [True]
    assert told[-1] == Lost(f"no room for life {ray_member.MAX_RESTARTS + 1}", for_good=True)
