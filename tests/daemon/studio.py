"""An executor of several machines with several slots, whose jobs end when a test says so; a store that may fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, SimpleQueue

import zmq

from daemon.errors import StoreError
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
from daemon.jobs import JobRecord, Outcome
from daemon.keys import ClientKeys
from daemon.listen import listen
from daemon.metrics import Metrics
from daemon.server import Server
from daemon.store import EndedJob, MemoryStore, PendingJob, Store
from plugin_client.wire.messages import JobRequest, ModelInfo, Picture, StoreTrouble
from plugin_client.wire.paths import default_address
from tests.daemon.conftest import PATIENCE, RawClient, wait_until

MODEL = "kandinsky"


def machine(name: str, slots: int = 1, models: Sequence[str] = (MODEL,), memory: int = 0) -> Machine:
    offered = tuple(ModelInfo(model, f"at {name}", hash="", loaded=False) for model in models)
    return Machine(name, "CPU", "float32", memory, slots, offered)


class Studio:
    """An Executor. The server's thread calls its methods as the seam has them, a test calls the others."""

    def __init__(self, *machines: Machine) -> None:
        self._wakeup = Wakeup()
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._lock = threading.RLock()
        self._machines: dict[str, Machine] = {}
        self.started: list[str] = []  # job ids, each as often as it was started
        self.requests: dict[str, JobRequest] = {}
        self.cancelled: list[str] = []
        for one in machines:
            self.join(one)

    # --- the seam ----------------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def free_slots(self, model: str) -> int:
        return sum(one.slots - len(one.jobs) for one in self._offering(model))

    def run(self, job_id: str, request: JobRequest) -> None:
        with self._lock:
            free = max(self._offering(request.model), key=lambda one: one.slots - len(one.jobs))
            assert len(free.jobs) < free.slots, f"{job_id} was given where no slot is free"
            self.requests[job_id] = request
            self.started.append(job_id)
            self._change(replace(free, jobs=(*free.jobs, job_id)))

    def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)

    def poll(self) -> Iterator[Event]:
        self._wakeup.clear()
        try:
            while True:
                yield self._events.get_nowait()
        except Empty:
            return

    def stop(self) -> None:
        self._wakeup.close()

    # --- for tests ---------------------------------------------------------------------------------------------------

    @property
    def running(self) -> dict[str, tuple[str, ...]]:
        """Ids of the jobs that run, by machine."""
        with self._lock:
            return {name: one.jobs for name, one in self._machines.items()}

    def where(self, job: str) -> str:
        return next(name for name, jobs in self.running.items() if job in jobs)

    def join(self, one: Machine) -> None:
        self._change(one)

    def lose(self, name: str, reason: str = "the machine is gone") -> None:
        """A machine goes, and what it ran is given back."""
        with self._lock:
            lost = self._machines.pop(name)
        for job in lost.jobs:
            self.tell(JobGivenBack(job, reason))
        self.tell(MachineGone(name))

    def advance(self, job: str, step: int = 1) -> None:
        self.tell(JobAdvanced(job, "denoising", step, 50, 0, remaining=-1))

    def finish(self, job: str) -> None:
        """The job makes a picture of one pixel, of the colour of its seed."""
        self._leave(job)
        seed = self.requests[job].seed
        self.tell(JobDone(job, (Picture(1, 1, 3, bytes([seed] * 3)),), {"seed": seed}))

    def fail(self, job: str, event: JobFailed) -> None:
        self._leave(job)
        self.tell(event)

    def end_all(self) -> None:
        """All that runs ends without a result."""
        with self._lock:
            for job in [job for jobs in self.running.values() for job in jobs]:
                self.fail(job, JobFailed(job, "cancelled", "the test is over"))

    def _offering(self, model: str) -> list[Machine]:
        with self._lock:
            return [one for one in self._machines.values() if not model or model in [info.name for info in one.models]]

    def _leave(self, job: str) -> None:
        with self._lock:
            one = self._machines[self.where(job)]
            self._change(replace(one, jobs=tuple(other for other in one.jobs if other != job)))

    def _change(self, one: Machine) -> None:
        with self._lock:
            self._machines[one.name] = one
            self.tell(MachineChanged(one))

    def tell(self, event: Event) -> None:
        """Tell the server of something, at once."""
        self._events.put(event)
        self._wakeup.set()


class FailingStore:
    """A Store over another, whose methods fail while a test has them in `broken`, and wait while it has them `held`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.broken: set[str] = set()
        self.held: dict[str, threading.Event] = {}  # by method: what it waits for before it does anything
        self.failures: list[str] = []  # names of the methods that failed, each as often as it did

    @property
    def outlives_the_daemon(self) -> bool:
        return self._store.outlives_the_daemon

    def pending(self) -> tuple[PendingJob, ...]:
        self._check("pending")
        return self._store.pending()

    def ended(self) -> tuple[EndedJob, ...]:
        self._check("ended")
        return self._store.ended()

    def trouble(self) -> StoreTrouble | None:
        return self._store.trouble()

    def accept(self, record: JobRecord, request: JobRequest) -> None:
        self._check("accept")
        self._store.accept(record, request)

    def request(self, job_id: str) -> JobRequest:
        self._check("request")
        return self._store.request(job_id)

    def start(self, job_id: str, now: float) -> None:
        self._check("start")
        self._store.start(job_id, now)

    def finish(self, job_id: str, outcome: Outcome, now: float) -> None:
        self._check("finish")
        self._store.finish(job_id, outcome, now)

    def outcome(self, job_id: str) -> Outcome:
        self._check("outcome")
        return self._store.outcome(job_id)

    def withdraw(self, job_id: str) -> None:
        self._check("withdraw")
        self._store.withdraw(job_id)

    def gone(self, job_id: str) -> str:
        return self._store.gone(job_id)

    def forget(self, job_id: str, why: str) -> None:
        self._check("forget")
        self._store.forget(job_id, why)

    def expire(self, now: float) -> tuple[str, ...]:
        self._check("expire")
        return self._store.expire(now)

    def _check(self, name: str) -> None:
        if name in self.held:
            self.held[name].wait(PATIENCE)
        if name in self.broken:
            self.failures.append(name)
            raise StoreError("no space left on the disk")


@contextmanager
def serving(studio: Studio, store: Store | None = None, models: Sequence[str] = (MODEL,)) -> Iterator[RawClient]:
    """A client of a real server, in a thread, that hands its jobs to `studio`. Needs the fixture `home`."""
    with zmq.Context() as context, listen(context, default_address(), ClientKeys()) as (router, reached_at):
        server = Server(router, studio, store or MemoryStore(), models, Metrics())
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            with RawClient(reached_at.address) as client:
                yield client
        finally:
            server.stop()
            while thread.is_alive():  # a server that stops waits for what runs; a job may be on its way to the studio
                studio.end_all()
                thread.join(0.01)
            studio.stop()


def wait_for_jobs(studio: Studio, **running: int) -> None:
    """Wait until each machine runs so many jobs."""
    counted = {name: len(jobs) for name, jobs in studio.running.items()}
    wait_until(
        lambda: {name: len(jobs) for name, jobs in studio.running.items()} == running, f"{counted} becomes {running}"
    )
