"""The seam between the server and what runs its jobs.

An executor has machines, each with slots: a slot runs one job at a time. Machines may come and go, and each offers
models of its own. The server hands over a job where a slot is free; where and how it runs is the executor's business.

A picture has width x height x channels bytes of 8-bit sRGB, see the wire's Picture. Times are in seconds.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from plugin_client.wire.messages import FailureCode, JobRequest, ModelInfo, Picture, Stage


@dataclass(frozen=True)
class Machine:
    """A computer, or a part of one, that runs jobs. Its `name` is unique within an executor."""

    name: str
    device: str = ""  # e.g. "CPU"; "" while it is not known
    precision: str = ""
    memory: int = 0  # bytes resident in the processes that own models; 0 while it is not known
    slots: int = 1  # jobs at a time
    models: tuple[ModelInfo, ...] = ()  # empty while they are not known
    jobs: tuple[str, ...] = ()  # ids of the jobs that it runs now


@dataclass(frozen=True)
class JobAdvanced:
    """A step of a job has begun or is done."""

    job: str
    stage: Stage
    step: int  # of the whole job: done so far
    steps: int  # of the whole job; 0 while it is not known
    variation: int  # number of the picture that is being made
    remaining: float  # s, estimated; negative while it is not known
    preview: Picture | None = None


@dataclass(frozen=True)
class Embedding:
    """What a model has made of an item. It follows from its key: any process with the same model may take it."""

    key: str
    shapes: tuple[tuple[int, ...], ...]  # of one or more arrays
    values: tuple[bytes, ...]  # of each array, as little-endian float32


@dataclass(frozen=True)
class JobEmbedded:
    """A job has all its embeddings; those that it was not given, for executors that share them between workers."""

    job: str
    embeddings: tuple[Embedding, ...]


@dataclass(frozen=True)
class JobDone:
    """A job has made its pictures. `recipe` is that of the first."""

    job: str
    pictures: tuple[Picture, ...]
    recipe: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobFailed:
    """A job has ended without pictures, for good. A cancelled one has the code "cancelled"."""

    job: str
    code: FailureCode
    message: str


@dataclass(frozen=True)
class JobGivenBack:
    """A job has lost its machine, and may run again from its beginning on another."""

    job: str
    reason: str


@dataclass(frozen=True)
class MachineChanged:
    """A machine is new, or something of it has changed."""

    machine: Machine


@dataclass(frozen=True)
class MachineGone:
    """A machine takes no more jobs. Those that it ran have ended, or were given back, before."""

    name: str


Event = JobAdvanced | JobEmbedded | JobDone | JobFailed | JobGivenBack | MachineChanged | MachineGone


class Executor(Protocol):
    """Runs jobs on its machines.

    Each job that run() takes is ended by exactly one JobDone, JobFailed or JobGivenBack that poll() yields. All methods
    are called from one thread. None blocks and none raises: what goes wrong ends a job.
    """

    def fileno(self) -> int:
        """File descriptor that is readable while poll() may have news. It stays the same for the executor's life."""

    def free_slots(self, model: str) -> int:
        """Number of jobs on the model of this name ("" is the default one) that run() would take now."""

    def run(self, job_id: str, request: JobRequest) -> None:
        """Start a job in a free slot; the caller has asked free_slots()."""

    def cancel(self, job_id: str) -> None:
        """Make a running job end within a step, as JobFailed("cancelled") unless it is done before.

        A job that is not running here, or no more, is left as it is.
        """

    def poll(self) -> Iterable[Event]:
        """Events since the last call, in their order. To be called several times a second, news or not."""

    def stop(self) -> None:
        """End whatever runs, at once. No method is called afterwards."""


class Wakeup:
    """A file descriptor that any thread can make readable, for an executor that listens in threads of its own."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        for end in (self._receiver, self._sender):
            end.setblocking(False)

    def fileno(self) -> int:
        return self._receiver.fileno()

    def set(self) -> None:
        """Make it readable. Safe in any thread."""
        with suppress(BlockingIOError):  # full, so it is readable
            self._sender.send(b"\0")

    def clear(self) -> None:
        """Make it unreadable until the next set()."""
        with suppress(BlockingIOError):
            while self._receiver.recv(4096):
                pass

    def close(self) -> None:
        self._receiver.close()
        self._sender.close()
