"""Where jobs run. The server knows the Executor seam only, and nothing in it assumes one process or one machine.

LocalExecutor runs one job at a time in a supervised child process (worker.py). The two talk over a ZeroMQ PAIR socket
in a private folder, in the messages of the wire protocol: Submit and Cancel go down; Progress, Result, Failed,
ModelList and Hardware (as a Pong) come up.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import zmq

from plugin_client.wire import codec, endpoint
from plugin_client.wire.messages import (
    Blend,
    Cancel,
    ClientMessage,
    DaemonMessage,
    Failed,
    ModelList,
    Pong,
    Progress,
    Result,
    Stage,
    Submit,
)

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # s before a dead worker is started again: doubled at each death in a row
# How long a cancelled job's current step may go on. One at 768 px takes a minute on two slow cores, and breaking it off
# costs loading the model again.
CANCEL_SECONDS = 300.0
# The same while its model is loaded or downloaded: little is lost, since what was downloaded stays.
CANCEL_LOADING_SECONDS = 2.0
CHANNEL_SUFFIX = ".w"  # of the sockets' names; 8 random hex digits follow, so that no two lives share one
CHANNEL_ID = 0  # the request id of all messages to and from the worker, which runs one job at a time


@dataclass(frozen=True)
class Hardware:
    """What computes. `memory` is in bytes, 0 while it is not known."""

    device: str
    precision: str
    memory: int


Event = Progress | Result | Failed | ModelList | Hardware


class Executor(Protocol):
    """Runs jobs somewhere. For each job given to run(), poll() yields one Result or Failed in the end."""

    @property
    def slots(self) -> int:
        """How many jobs run at a time."""

    def run(self, job_id: str, blend: Blend) -> None:
        """Start a job. The caller keeps to `slots`."""

    def cancel(self, job_id: str) -> None:
        """Make a running job end as Failed("cancelled") within a step. It may have ended: then nothing happens."""

    def sources(self) -> Sequence[zmq.Socket[bytes]]:
        """Sockets of which one becomes readable when poll() has news. They may change at every call of the others."""

    def poll(self) -> Iterable[Event]:
        """What happened since the last call. Never blocks; wants to be called several times a second, news or not."""

    def stop(self) -> None:
        """End at once whatever runs. Nothing else is called afterwards."""


class LocalExecutor:
    """An Executor over one child process, which is started again whenever it dies.

    `arguments` are the worker's, without its --channel. The path `base` names the sockets: its folder must be private
    to the user (0700), because who reaches a socket can give the worker jobs. The first poll() starts the worker.

    Raises:
        EndpointError: `base` is too long for the path of a socket.
    """

    slots = 1

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], base: Path, arguments: Sequence[str]) -> None:
        self._context = context
        self._base = base
        self._arguments = arguments
        self._job: str | None = None
        self._stage: Stage = "loading"  # of the job
        self._cancelled_at = math.inf
        self._pause = FIRST_PAUSE
        self._restart_at = 0.0
        self._worker: _Worker | None = None
        endpoint.check_socket_path(str(self._new_channel()), f"choose a shorter folder with {endpoint.HOME_VARIABLE}")

    def run(self, job_id: str, blend: Blend) -> None:
        self._job = job_id
        self._stage = "loading"  # the worker may still be starting
        self._cancelled_at = math.inf
        worker = self._worker or self._start()  # a job does not wait for the pause to pass
        worker.send(Submit(job_id, blend))

    def cancel(self, job_id: str) -> None:
        if self._worker and job_id == self._job:
            self._worker.send(Cancel(job_id))
            self._cancelled_at = min(self._cancelled_at, time.monotonic())

    def sources(self) -> Sequence[zmq.Socket[bytes]]:
        return [self._worker.socket] if self._worker else []

    def poll(self) -> Iterator[Event]:
        if self._worker is None:
            if time.monotonic() >= self._restart_at:
                self._start()
            return
        exit_code = self._worker.exit_code()  # before reading: what a dying worker still said is heard
        for message in self._worker.receive():
            yield self._event(message)
        if exit_code is not None:
            yield from self._bury(exit_code)
        elif self._job and time.monotonic() >= self._cancelled_at + self._grace():
            yield from self._break_off(self._job)

    def stop(self) -> None:
        if self._worker:
            self._worker.kill()

    def _start(self) -> _Worker:
        self._worker = _Worker(self._context, self._new_channel(), self._arguments)
        return self._worker

    def _new_channel(self) -> Path:
        return Path(f"{self._base}{CHANNEL_SUFFIX}{secrets.token_hex(4)}")

    def _grace(self) -> float:
        """Seconds that the worker has to heed a cancel."""
        return CANCEL_LOADING_SECONDS if self._stage == "loading" else CANCEL_SECONDS

    def _event(self, message: DaemonMessage) -> Event:
        if isinstance(message, Pong):
            return Hardware(message.device, message.precision, message.memory)
        if isinstance(message, Progress):
            self._stage = message.stage
        if isinstance(message, Result | Failed):
            self._job = None
            self._pause = FIRST_PAUSE
        assert isinstance(message, Progress | Result | Failed | ModelList), message
        return message

    def _break_off(self, job_id: str) -> Iterator[Event]:
        """End a cancelled job whose step does not end, such as a download, with its worker."""
        assert self._worker
        after = self._grace()
        log.warning("the job does not heed its cancel: its process is ended and started again")
        self._worker.kill()
        self._start()
        self._job = None
        yield Failed(job_id, "cancelled", f"broken off, {after:g} s after it was cancelled")

    def _bury(self, exit_code: int) -> Iterator[Event]:
        """Clean up after a dead worker, fail its job, and arrange for the next one."""
        assert self._worker
        self._worker.kill()
        self._worker = None
        self._restart_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        reason = f"the process that owns the model {_describe(exit_code)}"
        log.warning("%s; it is started again", reason)
        if self._job:
            job, self._job = self._job, None
            yield Failed(job, "worker-died", reason)


class _Worker:
    """One life of the child process, and the socket to it.

    The worker binds and this side connects, so that messages wait in the socket until the worker is up. Its standard
    input is a pipe that is never written to: when this process ends, however it ends, the worker reads the end of it.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], channel: Path, arguments: Sequence[str]) -> None:
        self._channel = channel
        self.socket = context.socket(zmq.PAIR)
        self.socket.linger = 0
        self.socket.reconnect_ivl = 20  # ms, until the worker has bound
        self.socket.connect(f"ipc://{channel}")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "daemon.worker", "--channel", str(channel), *arguments],
            stdin=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"},  # imports what we would
            start_new_session=True,  # Ctrl-C in a terminal goes to the daemon alone, which ends its jobs first
        )

    def send(self, message: ClientMessage) -> None:
        self.socket.send_multipart(codec.encode(message, CHANNEL_ID), copy=False)

    def receive(self) -> Iterator[DaemonMessage]:
        while self.socket.poll(0):
            yield codec.decode_daemon(self.socket.recv_multipart())[1]

    def exit_code(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        """End it, dead or alive, and leave nothing behind."""
        self._process.kill()
        self._process.communicate()
        self.socket.close()
        self._channel.unlink(missing_ok=True)


def _describe(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "was killed (signal 9): if nobody did that, the machine ran out of memory"
    if exit_code < 0:
        return f"crashed (signal {-exit_code}, {signal.strsignal(-exit_code)})"
    return f"ended by itself with exit code {exit_code}"
