"""A real Ray cluster of several nodes on this machine, which speaks to nobody outside and leaves nothing behind."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from daemon.executors.base import (
    Event,
    JobAdvanced,
    JobDone,
    JobFailed,
    JobGivenBack,
    Machine,
    MachineChanged,
    MachineGone,
)
from daemon.executors.ray import RayExecutor
from plugin_client.wire.messages import JobRequest
from tests.daemon.conftest import children

LOOPBACK = "127.0.0.{}"  # from 2 on: of 127.0.0.1 Ray makes the address that others see
PROJECT = Path(__file__).parents[2]
CLUSTER_PATIENCE = 100.0  # s: a node or an actor takes seconds to start where the machine is loaded
STORE_BYTES = 80 * 2**20  # of a node's pictures


class Studio:
    """A cluster whose head has no processors to give, so that a test chooses the machines."""

    def __init__(self) -> None:
        self._hosts = count(2)
        self._cluster = Cluster(initialize_head=True, head_node_args=self._node(0))
        self.address: str = self._cluster.address

    @property
    def machines(self) -> list[Any]:
        """Those that work."""
        return list(self._cluster.worker_nodes)

    def join(self, processors: int = 1, **resources: Any) -> Any:
        return self._cluster.add_node(**self._node(processors, **resources))

    def kill(self, node: Any) -> None:
        self._cluster.remove_node(node, allow_graceful=False)

    def actors(self) -> list[int]:
        """Process ids of the workers that run now."""
        raylets = [node.all_processes["raylet"][0].process.pid for node in self._cluster.list_all_nodes()]
        started = [child for raylet in raylets for child in children(raylet)]
        return [pid for pid in started if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::RayWorker")]

    def shutdown(self) -> None:
        self._cluster.shutdown()

    def _node(self, processors: int, **options: Any) -> dict[str, Any]:
        return {
            "num_cpus": processors,
            "include_dashboard": False,
            "node_ip_address": LOOPBACK.format(next(self._hosts)),
            "object_store_memory": STORE_BYTES,
            **options,
        }


@contextmanager
def studio() -> Iterator[Studio]:
    """A cluster without nodes that work."""
    variables = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "PYTHONPATH": str(PROJECT),
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        made = Studio()
        try:
            yield made
        finally:
            made.shutdown()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Driven:
    """An executor and what it has told. Has the part of the scheduler that a test needs: it polls."""

    def __init__(self, executor: RayExecutor) -> None:
        self.executor = executor
        self.machines: dict[str, Machine] = {}
        self.progress: list[JobAdvanced] = []
        self.ends: list[JobDone | JobFailed | JobGivenBack] = []

    def wait(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + CLUSTER_PATIENCE
        while not (found := look()):
            assert time.monotonic() < deadline, f"waited {CLUSTER_PATIENCE} s in vain until {what}"
            for event in self.executor.poll():
                self._take(event)
            time.sleep(0.01)
        return found

    def wait_for_slots(self, number: int) -> None:
        self.wait(lambda: self.executor.free_slots("") == number, f"{number} slots are free")

    def wait_for_steps(self, job: str) -> None:
        self.wait(lambda: [one for one in self.progress if one.job == job], f"job {job} runs")

    def end(self, job: str) -> JobDone | JobFailed | JobGivenBack:
        return self.wait(lambda: [end for end in self.ends if end.job == job], f"job {job} ends")[-1]

    def run(self, job: str, request: JobRequest) -> JobDone | JobFailed | JobGivenBack:
        self.executor.run(job, request)
        return self.end(job)

    def where(self, job: str) -> list[str]:
        """Names of the machines that work on a job."""
        return [name for name, machine in self.machines.items() if job in machine.jobs]

    def _take(self, event: Event) -> None:
        match event:
            case JobAdvanced():
                self.progress.append(event)
            case MachineChanged():
                self.machines[event.machine.name] = event.machine
            case MachineGone():
                del self.machines[event.name]
            case JobDone() | JobFailed() | JobGivenBack():
                self.ends.append(event)


@contextmanager
def driven(
    address: str,
    engine: str = "FakeEngine",
    workers_per_node: int | None = None,
    memory: int | None = None,
    model: str = "fake",
) -> Iterator[Driven]:
    """An executor on a cluster, whose workers run this engine of fake_engine.py."""
    executor = RayExecutor(address, worker_arguments(engine, (model,)), workers_per_node, memory)
    try:
        yield Driven(executor)
    finally:
        executor.stop()


def worker_arguments(engine: str, models: Sequence[str] = ("fake",)) -> list[str]:
    names = [f"--model={name}" for name in models]
    return [
        f"--engine=tests.daemon.fake_engine:{engine}",
        *names,
        "--device=cpu",
        "--precision=float32",
        "--log-level=info",
    ]
