"""RayExecutor runs jobs on the machines of a Ray cluster: a worker is a named actor that owns one process with models.

Ray places the actors, each with the processors, memory and accelerator that it holds for its life, so that no two share
what one needs. Nodes may join and leave while the daemon runs.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from daemon.errors import DaemonError
from daemon.executors.base import (
    Event,
    JobAdvanced,
    JobDone,
    JobFailed,
    JobGivenBack,
    Machine,
    MachineChanged,
    MachineGone,
    Wakeup,
)
from daemon.executors.parts import JobEvent, Parts, split
from daemon.executors.ray_member import Began, Life, Lost, Member, News
from daemon.executors.ray_worker import RayWorker
from daemon.executors.sharing import Shared, ingredients
from plugin_client.wire.messages import JobRequest

log = logging.getLogger(__name__)

NODES_PAUSE = 1.0  # s between two looks at which nodes there are
CONNECT_SECONDS = 5.0
END_SECONDS = 8.0  # that leaving the cluster may take
ACCELERATOR = "NPU"  # Ray's name of an Ascend
GONE = "its machine has left the cluster"


@dataclass(frozen=True)
class Node:
    """A computer of the cluster. Its name is unique: several nodes may have one host name."""

    id: str
    name: str
    processors: int
    accelerators: int
    memory: int  # bytes


@dataclass
class _Seat:
    """A member as the executor knows it."""

    member: Member
    node: Node
    life: Life | None = None  # None while it cannot take jobs
    machine: Machine = field(default_factory=lambda: Machine(""))
    job: str | None = None
    parts: Parts | None = None  # of the job
    part: int = 0


class RayExecutor:
    """An Executor of all nodes of a cluster.

    Args:
        address: of the cluster, "auto" for the one that runs on this machine.
        arguments: of daemon.worker.
        workers_per_node: None: one for each accelerator of a node, or one on a node without any.
        memory_per_worker: bytes that a worker holds; None: Ray does not count them.

    Raises:
        DaemonError: there is no such cluster, or it does not let this daemon in.
    """

    def __init__(
        self, address: str, arguments: Sequence[str], workers_per_node: int | None, memory_per_worker: int | None
    ) -> None:
        connect(address)
        self._arguments = arguments
        self._workers_per_node = workers_per_node
        self._memory_per_worker = memory_per_worker
        self._wakeup = Wakeup()
        self._news: SimpleQueue[tuple[Member, News] | list[Node]] = SimpleQueue()
        self._seats: dict[Member, _Seat] = {}
        self._nodes: dict[str, Node] = {}  # by id
        self._told: dict[str, Machine] = {}  # by name: the machines as the last MachineChanged has them
        self._hashes: dict[str, str] = {}  # of models by name, as the first worker that found their files has them
        self._shared: Shared[Life, Any] = Shared()
        self._stopped = threading.Event()
        self._looking = threading.Thread(target=self._look, name="nodes", daemon=True)
        self._looking.start()

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def free_slots(self, model: str) -> int:
        return len(self._free())

    def run(self, job_id: str, request: JobRequest) -> None:
        """Start a job, on as many workers as are free where it makes several pictures."""
        free = sorted(self._free(), key=lambda seat: not _has_loaded(seat.machine, request.model))
        requests = split(request, len(free))
        parts = Parts(len(requests))
        for number, part in enumerate(requests):
            seat = free[number]
            seat.job, seat.parts, seat.part = job_id, parts, number
            self._start(seat, job_id, part)

    def _start(self, seat: _Seat, job_id: str, request: JobRequest) -> None:
        """Start a job or a part of one. It makes the embeddings that nobody makes or has made, and waits for others."""
        assert seat.life
        needed = ingredients(request)
        places = self._shared.places(needed)
        if self._shared.lacks(needed):
            self._shared.expect(needed, seat.life, seat.life.embeddings())
        seat.life.run(job_id, request, places)

    def cancel(self, job_id: str) -> None:
        for seat in self._seats.values():
            if seat.job == job_id and seat.life:
                seat.life.cancel()

    def poll(self) -> Iterator[Event]:
        self._wakeup.clear()
        try:
            while True:
                news = self._news.get_nowait()
                yield from self._take_nodes(news) if isinstance(news, list) else self._take(*news)
        except Empty:
            pass
        yield from self._tell_machines()

    def stop(self) -> None:
        self._stopped.set()
        leaving = threading.Thread(target=self._leave, name="leave", daemon=True)
        leaving.start()
        leaving.join(END_SECONDS)
        if leaving.is_alive():
            log.warning("the cluster does not answer, and is left without a word")

    def _leave(self) -> None:
        """Leave the cluster when all is ended; in a thread, since a lost head lets it wait."""
        for seat in self._seats.values():
            seat.member.end()
        for seat in self._seats.values():
            seat.member.join()
        self._looking.join()
        ray.shutdown()
        self._wakeup.close()

    # --- nodes -------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Tell which nodes there are, again and again; in a thread, since Ray may let it wait."""
        known: list[Node] = []
        while not self._stopped.is_set():
            try:
                nodes = living_nodes(ray.nodes())
            except RayError as exc:
                log.warning("the nodes of the cluster cannot be listed: %s", exc)
            else:
                if nodes != known:
                    known = nodes
                    self._news.put(nodes)
                    self._wakeup.set()
            self._stopped.wait(NODES_PAUSE)

    def _take_nodes(self, nodes: Iterable[Node]) -> Iterator[Event]:
        living = {node.id: node for node in nodes}
        for node in [node for key, node in self._nodes.items() if key not in living]:
            log.warning("%s has left the cluster", node.name)
            for seat in [seat for seat in self._seats.values() if seat.node == node]:
                yield from self._dismiss(seat, GONE)
        for node in [node for key, node in living.items() if key not in self._nodes]:
            self._staff(node)
        self._nodes = living

    def _staff(self, node: Node) -> None:
        """Give a new node its workers."""
        number = workers_on(node, self._workers_per_node, self._memory_per_worker)
        log.info("%s has joined, with %d processors: it gets %d workers", node.name, node.processors, number)
        options = self._options(node, number) if number else {}
        for n in range(1, number + 1):
            member = Member(f"{node.name}/{n}", partial(self._make, f"{node.name}/{n}", options), self._hear)
            self._seats[member] = _Seat(member, node)

    def _options(self, node: Node, workers: int) -> dict[str, Any]:
        """Where one of the workers of a node is, and what it holds. Ray has it compute in num_cpus threads."""
        options: dict[str, Any] = {
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False),
            "num_cpus": node.processors // workers,
        }
        if node.accelerators:
            options["resources"] = {ACCELERATOR: node.accelerators // workers}
        if self._memory_per_worker:
            options["memory"] = self._memory_per_worker
        return options

    def _make(self, name: str, options: Mapping[str, Any], life: int) -> Any:
        return ray.remote(RayWorker).options(name=f"{name}.{life}", max_restarts=0, **options).remote(self._arguments)

    # --- workers -----------------------------------------------------------------------------------------------------

    def _hear(self, member: Member, news: News) -> None:
        """Called by the members' threads."""
        self._news.put((member, news))
        self._wakeup.set()

    def _take(self, member: Member, news: News) -> Iterator[Event]:
        seat = self._seats.get(member)
        if seat is None:  # what a worker that was dismissed had said before
            return
        match news:
            case Began():
                seat.life = news.life
                log.info("worker %s is ready", member.name)
            case Lost():
                yield from self._lose(seat, news)
            case Machine():
                yield from self._know(seat, news)
            case MachineChanged():
                yield from self._know(seat, news.machine)
            case JobAdvanced() | JobDone() | JobFailed() | JobGivenBack():
                yield from self._follow(seat, news)

    def _lose(self, seat: _Seat, lost: Lost) -> Iterator[Event]:
        reason = f"worker {seat.member.name} was lost: {lost.reason}"
        if lost.for_good:
            log.error("%s; it is not started again", reason)
            yield from self._dismiss(seat, reason)
            return
        log.warning("%s; it is started again", reason)
        if seat.life:
            self._shared.forget(seat.life)
        seat.life, seat.machine = None, Machine("")
        if seat.job:
            yield from self._follow(seat, JobGivenBack(seat.job, reason))

    def _know(self, seat: _Seat, machine: Machine) -> Iterator[Event]:
        """Take in what a worker says of itself, or dismiss it where its models are not those of the others."""
        seat.machine = machine
        for model in machine.models:
            if model.hash and model.hash != (known := self._hashes.setdefault(model.name, model.hash)):
                reason = (
                    f"worker {seat.member.name} is refused: its model {model.name!r} has the fingerprint "
                    f"{model.hash[:12]}, and that of the other workers has {known[:12]}"
                )
                log.error("%s", reason)
                yield from self._dismiss(seat, reason)
                return

    def _follow(self, seat: _Seat, event: JobEvent) -> Iterator[Event]:
        parts, job = seat.parts, seat.job
        assert parts
        assert job
        if not isinstance(event, JobAdvanced):
            seat.job = seat.parts = None
        if isinstance(event, JobFailed | JobGivenBack) and seat.life:
            self._shared.forget(seat.life)  # perhaps it has not made what others count on
        if parts.is_over:
            return
        whole = parts.take(seat.part, event)
        if parts.is_over:
            self._end_others(job, parts)
        if whole:
            yield whole

    def _end_others(self, job: str, parts: Parts) -> None:
        """Cancel what is left of a job that is over."""
        for seat in self._seats.values():
            if seat.parts is parts and seat.life:
                seat.life.cancel()

    def _dismiss(self, seat: _Seat, reason: str) -> Iterator[Event]:
        del self._seats[seat.member]
        if seat.life:
            self._shared.forget(seat.life)
        seat.member.end()
        if seat.job:
            yield from self._follow(seat, JobGivenBack(seat.job, reason))

    def _free(self) -> list[_Seat]:
        return [seat for seat in self._seats.values() if seat.life and not seat.job]

    # --- machines ----------------------------------------------------------------------------------------------------

    def _tell_machines(self) -> Iterator[Event]:
        machines = self._machines()
        for name in self._told.keys() - machines.keys():
            yield MachineGone(name)
        for name, machine in machines.items():
            if machine != self._told.get(name):
                yield MachineChanged(machine)
        self._told = machines

    def _machines(self) -> dict[str, Machine]:
        """The nodes with workers that can take jobs."""
        machines: dict[str, Machine] = {}
        for seat in self._seats.values():
            if not seat.life:
                continue
            name = seat.node.name
            other = machines.get(name, replace(seat.machine, name=name, memory=0, slots=0, jobs=()))
            machines[name] = replace(
                other if other.models else replace(seat.machine, name=name),
                memory=other.memory + seat.machine.memory,
                slots=other.slots + 1,
                jobs=(*other.jobs, *((seat.job,) if seat.job else ())),
            )
        return machines


def connect(address: str) -> None:
    """Join the cluster at an address. Raises: DaemonError."""
    if address != "auto":
        _check_reachable(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    heeded = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address,
            namespace=f"kandinsky-blend-{secrets.token_hex(4)}",
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except (RayError, ConnectionError, ValueError, RuntimeError) as exc:
        raise _no_cluster(address, " ".join(str(exc).split())[:200]) from exc
    finally:
        signal.signal(signal.SIGTERM, heeded)  # Ray's own would end this process without its last words


def _check_reachable(address: str) -> None:
    """Refuse an address where nobody listens, at which Ray would knock for minutes. Raises: DaemonError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise DaemonError(f"{address!r} is no address of a Ray cluster: write auto or HOST:PORT, as 10.0.0.5:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as exc:
        raise _no_cluster(address, str(exc)) from exc


def _no_cluster(address: str, reason: str) -> DaemonError:
    return DaemonError(
        f"there is no Ray cluster to join at {address!r} ({reason}): start one with `ray start --head`, or join this "
        "machine to one with `ray start --address HOST:PORT`"
    )


def living_nodes(listed: Iterable[Mapping[str, Any]]) -> list[Node]:
    """The nodes that ray.nodes() lists and that live."""
    return [
        Node(
            id=node["NodeID"],
            name=f"{node['NodeManagerHostname']}-{node['NodeID'][:4]}",
            processors=int(node["Resources"].get("CPU", 0)),
            accelerators=int(node["Resources"].get(ACCELERATOR, 0)),
            memory=int(node["Resources"].get("memory", 0)),
        )
        for node in listed
        if node["Alive"]
    ]


def workers_on(node: Node, wanted: int | None, memory: int | None) -> int:
    """The number of workers that fit on a node, where `wanted` are asked for and each holds `memory` bytes."""
    number = wanted or node.accelerators or 1
    number = min(number, node.processors, node.accelerators or number)
    return min(number, node.memory // memory) if memory else number


def _has_loaded(machine: Machine, model: str) -> bool:
    return any(info.loaded and model in ("", info.name) for info in machine.models)
