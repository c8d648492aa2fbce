"""LocalExecutor runs one job at a time in a supervised child process of this machine: worker.py."""

from __future__ import annotations

import logging
import math
import platform
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from daemon import child
from daemon.executors.base import (
    Embedding,
    Event,
    JobAdvanced,
    JobDone,
    JobEmbedded,
    JobFailed,
    JobGivenBack,
    Machine,
    MachineChanged,
    Wakeup,
)
from daemon.executors.channel import CancelJob, Channel, Message, RunJob
from daemon.executors.idleness import Idleness
from daemon.executors.watchdog import Watchdog
from daemon.job_runner import RunnerState
from plugin_client.wire.messages import JobRequest, Stage

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # s before a dead worker is started again: doubled at each death in a row
# How long a cancelled job's current step may go on. One at 768 px takes a minute on two slow cores, and breaking it off
# costs loading the model again.
CANCEL_SECONDS = 300.0
# The same while its model is loaded or downloaded: little is lost, since what was downloaded stays.
CANCEL_LOADING_SECONDS = 2.0
LAST_WORDS_SECONDS = 1.0  # how long the end of a dead worker's messages is waited for


class LocalExecutor:
    """An Executor of one machine with one slot: a child process, which is started again whenever it dies.

    `arguments` are the worker's. The first poll() starts the worker.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._wakeup = Wakeup()
        self._machine = Machine(platform.node() or "localhost")
        self._told: Machine | None = None  # the machine as the last MachineChanged has it
        self._job: str | None = None
        self._stage: Stage = "loading"  # of the job
        self._cancelled_at = math.inf
        self._pause = FIRST_PAUSE
        self._restart_at = 0.0
        self._worker: _Worker | None = None
        self._absence = ""  # why there is no worker

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def free_slots(self, model: str) -> int:
        """1 also while no worker runs: a job starts one."""
        return 0 if self._job else self._machine.slots

    def run(self, job_id: str, request: JobRequest, known: tuple[Embedding, ...] = ()) -> None:
        """Start a job in the slot. `known` are embeddings of its items that others have made."""
        self._job = job_id
        self._stage = "loading"  # the worker may still be starting
        self._cancelled_at = math.inf
        if self._worker is None:
            self._start()  # a job does not wait for the pause to pass
        if self._worker:
            self._worker.send(RunJob(job_id, request, known))

    def cancel(self, job_id: str) -> None:
        if self._worker and job_id == self._job:
            self._worker.send(CancelJob(job_id))
            self._cancelled_at = min(self._cancelled_at, time.monotonic())

    def poll(self) -> Iterator[Event]:
        self._wakeup.clear()
        yield from self._poll_worker()
        machine = replace(self._machine, jobs=(self._job,) if self._job else ())
        if machine != self._told:
            self._told = machine
            yield MachineChanged(machine)

    def stop(self) -> None:
        if self._worker:
            self._worker.kill()
        self._wakeup.close()

    def _poll_worker(self) -> Iterator[Event]:
        if self._worker is None:
            yield from self._give_back(self._absence)
            if time.monotonic() >= self._restart_at:
                self._start()
            return
        exit_code = self._worker.exit_code()  # before listening: what a dying worker still said is heard
        for message in self._worker.receive():
            self._worker.watchdog.hear(message)
            self._worker.idleness.hear(message)
            yield from self._hear(message)
        if exit_code is not None:
            yield from self._bury(exit_code)
        elif self._job and time.monotonic() >= self._cancelled_at + self._grace():
            yield from self._break_off(self._job)
        elif complaint := self._worker.watchdog.complaint():
            yield from self._replace(complaint)
        elif not self._job and (reason := self._worker.idleness.reason()):
            log.info("%s: it is started anew", reason)
            self._remove_worker()
            self._start()

    def _start(self) -> None:
        try:
            self._worker = _Worker(self._arguments, self._wakeup)
        except OSError as exc:  # no memory, process or descriptor left
            self._await_restart(f"the process that owns the model cannot be started: {exc.strerror}")

    def _grace(self) -> float:
        """Seconds that the worker has to heed a cancel."""
        return CANCEL_LOADING_SECONDS if self._stage in ("downloading", "loading") else CANCEL_SECONDS

    def _hear(self, message: Message) -> Iterator[Event]:
        match message:
            case RunnerState(device, precision, memory, models):
                self._machine = replace(self._machine, device=device, precision=precision, memory=memory, models=models)
            case JobAdvanced():
                self._stage = message.stage
                yield message
            case JobEmbedded():
                yield message
            case JobDone() | JobFailed():
                self._job = None
                self._pause = FIRST_PAUSE
                yield message

    def _break_off(self, job_id: str) -> Iterator[Event]:
        """End a cancelled job whose step does not end, such as a download, with its worker."""
        after = self._grace()
        log.warning("the job does not heed its cancel: its process is ended and started again")
        self._remove_worker()
        self._start()
        self._job = None
        yield JobFailed(job_id, "cancelled", f"broken off, {after:g} s after it was cancelled")

    def _bury(self, exit_code: int) -> Iterator[Event]:
        """Clean up after a dead worker, give its job back, and arrange for the next one."""
        yield from self._replace(_describe(exit_code))

    def _replace(self, end: str) -> Iterator[Event]:
        """Remove a worker of which `end` says why it is no use any more."""
        self._remove_worker()
        self._await_restart(f"the process that owns the model {end}")
        yield from self._give_back(self._absence)

    def _await_restart(self, reason: str) -> None:
        self._absence = reason
        self._restart_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        log.warning("%s; it is started again", reason)

    def _give_back(self, reason: str) -> Iterator[Event]:
        """Let go of the job that has lost its worker, if there is one."""
        if self._job:
            job, self._job = self._job, None
            yield JobGivenBack(job, reason)

    def _remove_worker(self) -> None:
        """End the worker, dead or alive; what it had in memory is gone."""
        assert self._worker
        self._worker.kill()
        self._worker = None
        unloaded = tuple(replace(model, loaded=False) for model in self._machine.models)
        self._machine = replace(self._machine, memory=0, models=unloaded)


class _Worker:
    """One life of the child process, and the channel to it.

    A thread writes what is sent and another reads what comes, so that neither a full pipe nor a large picture holds up
    the caller. The channel is the worker's standard input and output: when this process ends, however it ends, the
    worker reads the end of its input.
    """

    def __init__(self, arguments: Sequence[str], wakeup: Wakeup) -> None:
        self._wakeup = wakeup
        self._process = child.start("daemon.worker", arguments)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.watchdog = Watchdog(self._process.pid)
        self.idleness = Idleness()
        self._channel = Channel(self._process.stdout, self._process.stdin)
        self._to_send: SimpleQueue[Message | None] = SimpleQueue()
        self._received: SimpleQueue[Message] = SimpleQueue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write)]
        for thread in self._threads:
            thread.start()

    def send(self, message: Message) -> None:
        self._to_send.put(message)

    def receive(self) -> Iterator[Message]:
        """All messages that have come whole."""
        try:
            while True:
                yield self._received.get_nowait()
        except Empty:
            return

    def exit_code(self) -> int | None:
        """None while it runs. Once it has ended, receive() has all that it said."""
        exit_code = self._process.poll()
        if exit_code is not None:
            self._threads[0].join(LAST_WORDS_SECONDS)  # its own children may hold the channel open
        return exit_code

    def kill(self) -> None:
        """End it, dead or alive, and leave nothing behind."""
        self._process.kill()
        self._process.wait()
        self._to_send.put(None)
        for thread in self._threads:
            thread.join(LAST_WORDS_SECONDS)

    def _read(self) -> None:
        try:
            while message := self._channel.receive():
                self._received.put(message)
                self._wakeup.set()
        finally:
            self._channel.close_source()
            self._process.wait()  # it ends, if only because nobody hears it, and exit_code() knows of it from here on
            self._wakeup.set()

    def _write(self) -> None:
        try:
            while message := self._to_send.get():
                self._channel.send(message)
        except OSError:
            pass  # the worker has ended, which exit_code() tells
        finally:
            self._channel.close_sink()


def _describe(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "was killed (signal 9): if nobody did that, the machine ran out of memory"
    if exit_code < 0:
        return f"crashed (signal {-exit_code}, {signal.strsignal(-exit_code)})"
    return f"ended by itself with exit code {exit_code}"
