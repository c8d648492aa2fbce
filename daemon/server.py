"""The ROUTER loop: answers clients, hands jobs to the executor, tells the watchers. Never blocks, touches no model."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import zmq

from daemon.errors import RequestRefused
from daemon.executor import Executor, Hardware
from daemon.jobs import Job, Jobs, Outcome, clip_note
from daemon.store import Store
from plugin_client.wire import codec
from plugin_client.wire.errors import ProtocolError, VersionError
from plugin_client.wire.limits import MAX_JOBS, MAX_PICTURE_BYTES
from plugin_client.wire.messages import (
    Accepted,
    Cancel,
    ClientMessage,
    DaemonMessage,
    Failed,
    Fetch,
    JobInfo,
    JobList,
    ListJobs,
    ListModels,
    ModelInfo,
    ModelList,
    Ping,
    Pong,
    Progress,
    Refusal,
    RefusalCode,
    Release,
    Released,
    Result,
    Shutdown,
    Status,
    Submit,
    Watch,
)

log = logging.getLogger(__name__)

TICK = 100  # ms: how often the loop turns when nothing happens
BURST = 100  # client messages answered in a row before the executor is looked at again
PROGRESS_PAUSE = 0.05  # s between two progress messages of a job
STOP_SECONDS = 3.0  # how long a stopping daemon waits for the step that is being computed
MAX_WATCHES = 1000  # of one job: the next one displaces the oldest
SEND_QUEUE = 1000  # messages that wait for one slow client; large frames wait by reference, not as copies
RECEIVE_QUEUE = 8  # messages read ahead from one client, of up to 256 MiB each


def open_router(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """A ROUTER socket with the limits that keep any client from costing much; not bound yet."""
    router = context.socket(zmq.ROUTER)
    router.sndhwm = SEND_QUEUE
    router.rcvhwm = RECEIVE_QUEUE
    router.maxmsgsize = MAX_PICTURE_BYTES  # of one frame: a client that sends a larger one is disconnected
    router.linger = 1000  # ms: the last words of a stopping daemon
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)  # report a vanished or slow client instead of dropping silently
    return router


@dataclass(frozen=True)
class Asker:
    """Who asked: a client, and the id of its request, under which all answers go back."""

    client: bytes
    request_id: int


class Server:
    """Serves a bound ROUTER socket. `models` are the names that may be asked for, the default first."""

    def __init__(self, router: zmq.Socket[bytes], executor: Executor, store: Store, models: Sequence[str]) -> None:
        self._router = router
        self._executor = executor
        self._store = store
        self._models = ModelList(tuple(ModelInfo(name, source=name, hash="", loaded=False) for name in models))
        self._version = metadata.version("kandinsky-blend")
        self._hardware = Hardware("", "", 0)
        self._jobs = Jobs()
        self._watches: dict[str, dict[Asker, None]] = {}  # by job id; an ordered set, the oldest first
        self._told_at: dict[str, float] = {}  # by job id: when its watchers were last told of progress
        self._began = time.monotonic()
        self._stopping = False

    def stop(self) -> None:
        """Make serve() cancel all jobs and return. Safe in a signal handler."""
        self._stopping = True

    def serve(self) -> None:
        """Answer clients and move jobs until stop(); then cancel all jobs, and return when they are over and told.

        Nothing is gained by waiting for the step that is being computed: after STOP_SECONDS its job ends without it.
        """
        while not self._stopping:
            self._turn()
        stopped = time.monotonic()
        for job in self._jobs.all():
            self._cancel(job)
        while self._jobs.active() and time.monotonic() < stopped + STOP_SECONDS:
            self._turn()
        for job in self._jobs.active():
            self._end(job, Failed(job.id, "cancelled", "broken off, because the daemon was stopped"))
        self._tell_watchers()

    # --- one turn of the loop ----------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._wait()
        self._read_clients()
        self._read_executor()
        self._start_jobs()
        self._tell_watchers()
        self._forget_expired()

    def _wait(self) -> None:
        poller = zmq.Poller()
        for socket in (self._router, *self._executor.sources()):
            poller.register(socket, zmq.POLLIN)
        poller.poll(TICK)

    def _read_clients(self) -> None:
        for _ in range(BURST):
            if not self._router.poll(0):
                return
            client, *frames = self._router.recv_multipart()
            self._answer(client, frames)

    def _read_executor(self) -> None:
        for event in self._executor.poll():
            match event:
                case ModelList():
                    self._models = event
                case Hardware():
                    self._hardware = event
                case Progress():
                    self._advance(event)
                case Result() | Failed():
                    self._end(self._jobs.get(event.job), event)

    def _start_jobs(self) -> None:
        free = self._executor.slots - len(self._jobs.active())
        for job in self._jobs.waiting()[: max(0, free)]:
            self._jobs.start(job, time.monotonic())
            self._executor.run(job.id, self._store.request(job.id))

    def _tell_watchers(self) -> None:
        for job_id in tuple(self._watches):
            job = self._jobs.get(job_id)
            if job.is_over:
                self._deliver(job)
            elif job.progress and self._is_due(job):
                self._broadcast(job, job.progress)

    def _forget_expired(self) -> None:
        for job_id in self._store.expire(time.monotonic()):
            self._forget(job_id)

    # --- clients -----------------------------------------------------------------------------------------------------

    def _answer(self, client: bytes, frames: Sequence[bytes]) -> None:
        try:
            request_id, message = codec.decode_client(frames)
        except ProtocolError as exc:
            code: RefusalCode = "bad-version" if isinstance(exc, VersionError) else "bad-message"
            self._send(Asker(client, exc.request_id or 0), Refusal(code, clip_note(str(exc))))
            return
        asker = Asker(client, request_id)
        try:
            reply = self._reply(asker, message)
        except RequestRefused as exc:
            reply = Refusal(exc.code, clip_note(str(exc)))
        if reply:
            self._send(asker, reply)

    def _reply(self, asker: Asker, message: ClientMessage) -> DaemonMessage | None:
        """What is answered at once; None where the job's watchers are told the answer. Raises: RequestRefused."""
        match message:
            case Ping():
                return self._pong()
            case Submit():
                return self._submit(asker, message)
            case Watch():
                return self._watch(asker, message)
            case Cancel():
                return self._cancel_for(message)
            case Status():
                return self._info(self._jobs.get(message.job))
            case ListJobs():
                return JobList(tuple(self._info(job) for job in self._jobs.all()[-MAX_JOBS:]))
            case Fetch():
                self._fetch(asker, message)
                return None
            case Release():
                return self._release(message)
            case ListModels():
                return self._models
            case Shutdown():
                log.info("a client asks for the end")
                self.stop()
                return self._pong()

    def _pong(self) -> Pong:
        return Pong(
            version=self._version,
            pid=os.getpid(),
            uptime=time.monotonic() - self._began,
            device=self._hardware.device,
            precision=self._hardware.precision,
            waiting=len(self._jobs.waiting()),
            running=len(self._jobs.active()),
            memory=self._hardware.memory,
            stopping=self._stopping,
        )

    def _submit(self, asker: Asker, message: Submit) -> Accepted:
        if self._stopping:
            raise RequestRefused("stopping", "the daemon is shutting down: start it again and repeat the request")
        self._check_model(message.blend.model)
        job = self._known(message) or self._accept(message)
        self._add_watch(job, asker)
        return Accepted(job.id, self._jobs.ahead(job))

    def _known(self, message: Submit) -> Job | None:
        """The job that the same submit made before.

        The request itself is compared while it is kept, which is until the job ends: a digest of each would cost all
        clients the time of hashing up to 256 MiB of pixels. Of a job that is over, the id alone counts.

        Raises: RequestRefused("id-in-use").
        """
        job = self._jobs.find(message.job)
        if job and not job.is_over and self._store.request(job.id) != message.blend:
            raise RequestRefused("id-in-use", f"job {job.id} has another request already: make a new id")
        return job

    def _accept(self, message: Submit) -> Job:
        job = self._jobs.submit(message.job, message.blend)
        self._store.accept(job.id, message.blend)
        log.info("job %s accepted: %s", short(job.id), job.title)
        return job

    def _check_model(self, name: str) -> None:
        names = [model.name for model in self._models.models]
        if name and name not in names:
            raise RequestRefused("unknown-model", f"there is no model {name!r} here: choose one of {', '.join(names)}")

    def _watch(self, asker: Asker, message: Watch) -> JobInfo:
        job = self._jobs.get(message.job)
        self._add_watch(job, asker)
        return self._info(job)

    def _cancel_for(self, message: Cancel) -> JobInfo:
        job = self._jobs.get(message.job)
        self._cancel(job)
        return self._info(job)

    def _fetch(self, asker: Asker, message: Fetch) -> None:
        job = self._jobs.get(message.job)
        if not job.is_over:
            raise RequestRefused("not-ready", f"job {job.id} is {job.state}: watch it, or ask again later")
        self._add_watch(job, asker)

    def _release(self, message: Release) -> Released:
        job = self._jobs.get(message.job)
        if not job.is_over:
            raise RequestRefused("not-ready", f"job {job.id} is {job.state}: cancel it first")
        self._store.forget(job.id)
        self._forget(job.id)
        return Released(job.id)

    def _send(self, asker: Asker, message: DaemonMessage) -> bool:
        """Whether the message is on its way. If not, the client does not read at present, or it is gone for good."""
        frames = [asker.client, *codec.encode(message, asker.request_id)]
        try:
            self._router.send_multipart(frames, zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        except zmq.ZMQError as exc:
            if exc.errno != zmq.EHOSTUNREACH:
                raise
            self._drop_client(asker.client)
            return False
        return True

    # --- watchers ----------------------------------------------------------------------------------------------------

    def _add_watch(self, job: Job, asker: Asker) -> None:
        watches = self._watches.setdefault(job.id, {})
        watches[asker] = None
        if len(watches) > MAX_WATCHES:
            del watches[next(iter(watches))]

    def _drop_client(self, client: bytes) -> None:
        for job_id, watches in self._watches.items():
            self._watches[job_id] = {asker: None for asker in watches if asker.client != client}

    def _deliver(self, job: Job) -> None:
        """Send the outcome to all watchers; who cannot take it now stays and is tried again at the next turn."""
        outcome = self._store.outcome(job.id)
        assert outcome, f"job {job.id} is over without an outcome"
        for asker in tuple(self._watches[job.id]):
            if self._send(asker, outcome):
                self._watches[job.id].pop(asker, None)  # it may have been dropped as gone, and be back
        if not self._watches[job.id]:
            del self._watches[job.id]

    def _is_due(self, job: Job) -> bool:
        told_at = self._told_at.get(job.id, 0.0)
        return job.progress_at > told_at and time.monotonic() - told_at >= PROGRESS_PAUSE

    def _broadcast(self, job: Job, progress: Progress) -> None:
        """Send progress to all watchers; who cannot take it now misses it."""
        self._told_at[job.id] = time.monotonic()
        for asker in tuple(self._watches[job.id]):
            self._send(asker, progress)

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _info(self, job: Job) -> JobInfo:
        return self._jobs.info(job, time.monotonic())

    def _advance(self, progress: Progress) -> None:
        job = self._jobs.get(progress.job)
        if job.is_active:
            self._jobs.advance(job, progress, time.monotonic())

    def _cancel(self, job: Job) -> None:
        """Queued: it is over. Running: the executor is asked to end it. Otherwise nothing: asking again is harmless."""
        if job.state == "queued":
            self._end(job, Failed(job.id, "cancelled", "cancelled before it began"))
        elif job.state == "running":
            self._jobs.cancel(job)
            self._executor.cancel(job.id)

    def _end(self, job: Job, outcome: Outcome) -> None:
        now = time.monotonic()
        self._jobs.finish(job, outcome, now)
        self._store.finish(job.id, outcome, now)
        self._told_at.pop(job.id, None)
        log.info("job %s %s", short(job.id), describe(outcome, job.seconds(now)))

    def _forget(self, job_id: str) -> None:
        self._jobs.forget(job_id)
        self._watches.pop(job_id, None)


def short(job_id: str) -> str:
    """Enough of a job's id to find it in a log."""
    return job_id[:8]


def describe(outcome: Outcome, seconds: float) -> str:
    """How a job ended, for the log."""
    if isinstance(outcome, Result):
        first, steps = outcome.pictures[0], outcome.recipe.get("steps", "?")
        return f"done in {seconds:.1f} s: {len(outcome.pictures)} x {first.width}x{first.height}, {steps} steps"
    if outcome.code == "cancelled":
        return f"cancelled after {seconds:.1f} s"
    return f"failed after {seconds:.1f} s ({outcome.code}): {outcome.message}"
