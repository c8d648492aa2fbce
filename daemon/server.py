"""The ROUTER loop: answers clients, turns the scheduler and tells the watchers. It never blocks and has no model."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from importlib import metadata
from typing import TypeVar

import zmq

from daemon.errors import RequestRefused
from daemon.executors.base import Executor
from daemon.job_kinds import picture_bytes
from daemon.jobs import Job, Outcome
from daemon.library import Library
from daemon.metrics import Metrics
from daemon.notify import ALIVE, READY, STOPPING, notify
from daemon.router import ClientGone, Router
from daemon.scheduler import Scheduler
from daemon.store import Store
from daemon.texts import clip_note
from daemon.watchers import Asker, Watchers
from plugin_client.wire import codec
from plugin_client.wire.errors import ProtocolError, VersionError
from plugin_client.wire.limits import MAX_JOBS
from plugin_client.wire.messages import (
    Accepted,
    Cancel,
    ClientMessage,
    DaemonMessage,
    FetchModel,
    JobInfo,
    JobList,
    LibraryList,
    LibraryRequest,
    ListJobs,
    ListLibrary,
    ListModels,
    ModelList,
    Ping,
    Pong,
    Refusal,
    RefusalCode,
    Release,
    Released,
    RemoveModel,
    Shutdown,
    Status,
    StopFetch,
    Submit,
    Watch,
)

log = logging.getLogger(__name__)

TICK = 100  # ms: how often the loop turns when nothing happens
BURST = 100  # client messages answered in a row before the executor is looked at again
LIFE_PAUSE = 5.0  # s between two signs of life to whoever watches over this process
STOP_SECONDS = 3.0  # how long a stopping daemon waits for the step that is being computed
MAX_ARRIVING_BYTES = 2**30  # of the pictures of submits that are not answered yet, which are held in memory
MAX_CROWD = 1000  # messages on one job that wait for its submit to be answered

T = TypeVar("T")


class Server:
    """Serves a bound Router. Arguments as of Scheduler."""

    def __init__(
        self,
        router: Router,
        executor: Executor,
        store: Store,
        models: Sequence[str],
        metrics: Metrics,
        library: Library | None = None,
    ) -> None:
        self._router = router
        self._executor = executor
        self._store = store
        self._scheduler = Scheduler(executor, store, models, metrics, library)
        self._jobs = self._scheduler.jobs
        self._watchers = Watchers(self._send)
        self._version = metadata.version("kandinsky-blend")
        self._began = time.monotonic()
        self._shown_at = 0.0  # that this loop turns
        self._arriving = 0  # bytes
        self._fetch_at: dict[str, float] = {}  # by job id: when its end may be read again, in s
        self._stopping = False

    def stop(self) -> None:
        """Make serve() return. Safe in a signal handler."""
        self._stopping = True

    def serve(self) -> None:
        """Answer clients and run jobs until stop(); then leave all jobs to the next daemon, or end them, and return.

        Where the store keeps jobs for the next daemon, that one goes on with what runs and waits. Otherwise all is
        cancelled: nothing is gained by waiting for the step that is being computed, so after STOP_SECONDS its job ends
        without it.

        Raises:
            StoreError: what an earlier daemon left cannot be read.
        """
        try:
            self._scheduler.restore()
            notify(READY)
            while not self._stopping:
                self._turn()
            notify(STOPPING)
            self._scheduler.library.close()
            if self._store.outlives_the_daemon:
                self._scheduler.leave()
                self._tell_of_leaving()
            else:
                self._end_all()
        finally:
            self._scheduler.close()

    def _end_all(self) -> None:
        stopped = time.monotonic()
        self._scheduler.cancel_all()
        while self._jobs.active() and time.monotonic() < stopped + STOP_SECONDS:
            self._turn()
        self._scheduler.break_off()
        self._tell_of_ends()

    def _tell_of_ends(self) -> None:
        self._tell_watchers()
        self._scheduler.settle()

    def _tell_of_leaving(self) -> None:
        self._tell_of_ends()
        refusal = Refusal("stopping", "the daemon was stopped; the job is kept, and goes on when it is started again")
        for job_id in self._watchers.watched():
            self._watchers.send_end(self._scheduler.get(job_id), refusal)

    # --- one turn of the loop ----------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._wait()
        self._read_clients()
        self._scheduler.turn()
        self._tell_watchers()
        self._show_life()
        self._router.keep_house()
        self._scheduler.keep_house()

    def _show_life(self) -> None:
        if time.monotonic() - self._shown_at >= LIFE_PAUSE:
            self._shown_at = time.monotonic()
            notify(ALIVE)

    def _wait(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router.socket, zmq.POLLIN)
        poller.register(self._executor, zmq.POLLIN)
        poller.register(self._scheduler, zmq.POLLIN)
        poller.poll(TICK)

    def _read_clients(self) -> None:
        for _ in range(BURST):
            received = self._router.receive()
            if received is None:
                return
            self._answer(*received)

    def _tell_watchers(self) -> None:
        for job_id in self._watchers.watched():
            job = self._jobs.find(job_id)
            if job is None:
                self._watchers.remove_job(job_id)
                self._fetch_at.pop(job_id, None)
            elif not job.is_over:
                self._watchers.send_progress(job)
            elif self._is_end_wanted(job_id):
                self._fetch_at[job_id] = math.inf
                self._scheduler.fetch(job, partial(self._send_end, job))

    def _is_end_wanted(self, job_id: str) -> bool:
        """Whether an end that is not being read already could be sent to somebody."""
        may_be_read = self._fetch_at.get(job_id, 0.0) <= time.monotonic()
        return may_be_read and any(map(self._router.takes_result, self._watchers.clients(job_id)))

    def _send_end(self, job: Job, fetched: Future[Outcome]) -> None:
        """Send an end that was read; where somebody cannot take it now, it is read again after a TICK."""
        self._fetch_at.pop(job.id, None)
        try:
            end: Outcome | Refusal = fetched.result()
        except RequestRefused as exc:
            end = _refusal(exc)
        if not self._watchers.send_end(job, end):
            self._fetch_at[job.id] = time.monotonic() + TICK / 1000

    # --- clients -----------------------------------------------------------------------------------------------------

    def _answer(self, client: bytes, user: str, frames: Sequence[bytes]) -> None:
        try:
            request_id, message = codec.decode_client(frames)
        except ProtocolError as exc:
            code: RefusalCode = "bad-version" if isinstance(exc, VersionError) else "bad-message"
            self._send(Asker(client, exc.request_id or 0), Refusal(code, clip_note(str(exc))))
            return
        asker = Asker(client, request_id, user)
        if isinstance(message, Watch | Cancel | Status | Release):
            self._answer_on(message.job, asker, message)
        else:
            self._answer_now(asker, message)

    def _answer_on(self, job_id: str, asker: Asker, message: ClientMessage) -> None:
        """Answer a message on a job as soon as the store does not work at it."""
        if self._scheduler.crowd(job_id) < MAX_CROWD:
            self._scheduler.when_free(job_id, partial(self._answer_now, asker, message))
        else:
            why = f"{MAX_CROWD} messages wait for the store to be done with job {job_id}: try again in a moment"
            self._send(asker, Refusal("queue-full", why))

    def _answer_now(self, asker: Asker, message: ClientMessage) -> None:
        try:
            reply = self._reply(asker, message)
        except RequestRefused as exc:
            reply = _refusal(exc)
        if reply:
            self._send(asker, reply)

    def _reply(self, asker: Asker, message: ClientMessage) -> DaemonMessage | None:
        """The answer, None where it comes when the store is done; a job's watchers are told the rest.

        Raises:
            RequestRefused: there is none.
        """
        match message:
            case Ping():
                return self._pong()
            case Submit():
                self._submit(asker, message)
            case Watch():
                return self._watch(asker, message)
            case Cancel():
                self._cancel(asker, message)
            case Status():
                return self._info(self._job(asker, message.job))
            case ListJobs():
                return self._list(asker, message)
            case Release():
                self._release(asker, message)
            case ListModels():
                return ModelList(self._scheduler.models())
            case ListLibrary() | FetchModel() | StopFetch() | RemoveModel():
                return self._library(asker, message)
            case Shutdown():
                return self._shut_down(asker)
        return None

    def _reply_later(self, asker: Asker, make: Callable[[T], DaemonMessage], answer: Future[T]) -> None:
        """Send what `make` makes of an answer, or its refusal."""
        try:
            reply = make(answer.result())
        except RequestRefused as exc:
            reply = _refusal(exc)
        self._send(asker, reply)

    def _pong(self) -> Pong:
        machines = self._scheduler.machines
        return Pong(
            version=self._version,
            pid=os.getpid(),
            uptime=time.monotonic() - self._began,
            device=machines.device,
            precision=machines.precision,
            waiting=len(self._jobs.waiting()),
            running=len(self._jobs.active()),
            memory=machines.memory,
            stopping=self._stopping,
            keeps_jobs=self._store.outlives_the_daemon,
            machines=machines.infos(),
            trouble=self._scheduler.trouble,
        )

    def _submit(self, asker: Asker, message: Submit) -> None:
        if self._stopping:
            raise RequestRefused("stopping", "the daemon is shutting down: start it again and repeat the request")
        size = picture_bytes(message.request)
        if self._arriving + size > MAX_ARRIVING_BYTES or self._scheduler.crowd(message.job) >= MAX_CROWD:
            raise RequestRefused("queue-full", "too many pictures arrive at once: try again in a moment")

        def answer(job: Future[Job]) -> None:
            self._arriving -= size
            self._reply_later(asker, partial(self._accepted, asker), job)

        self._arriving += size
        client = asker.user or asker.client.hex()  # the windows of another user share one place in the queue
        self._scheduler.submit(message.job, message.request, client, _owner(asker, message.owner), answer)

    def _accepted(self, asker: Asker, job: Job) -> Accepted:
        if not _may_see(asker, job):
            raise RequestRefused("id-in-use", f"job {job.id} has another request already: make a new id")
        self._watchers.add(job.id, asker)
        return Accepted(job.id, self._jobs.ahead(job))

    def _job(self, asker: Asker, job_id: str) -> Job:
        """Return the job of an id, which is unknown to users who do not own it. Raises: RequestRefused."""
        job = self._scheduler.get(job_id)
        if not _may_see(asker, job):
            raise RequestRefused("unknown-job", f"no job {job_id} of yours is known")
        return job

    def _watch(self, asker: Asker, message: Watch) -> JobInfo:
        job = self._job(asker, message.job)
        self._watchers.add(job.id, asker)
        return self._info(job)

    def _cancel(self, asker: Asker, message: Cancel) -> None:
        job = self._job(asker, message.job)
        self._scheduler.cancel(job)
        self._scheduler.when_free(job.id, partial(self._answer_now, asker, Status(job.id)))

    def _list(self, asker: Asker, message: ListJobs) -> JobList:
        owner = _owner(asker, message.owner)
        owned = [job for job in self._jobs.all() if job.record.owner == owner]
        return JobList(tuple(self._info(job) for job in owned[-MAX_JOBS:]))

    def _release(self, asker: Asker, message: Release) -> None:
        job = self._job(asker, message.job)
        self._scheduler.release(job, partial(self._reply_later, asker, lambda _: Released(job.id)))

    def _library(self, asker: Asker, message: LibraryRequest) -> LibraryList:
        library = self._scheduler.library
        if asker.user and not isinstance(message, ListLibrary):
            raise RequestRefused("not-allowed", "this daemon is shared: only who runs it may fetch or remove models")
        match message:
            case FetchModel():
                library.fetch(message.model)
            case StopFetch():
                library.stop(message.model)
            case RemoveModel():
                self._scheduler.remove_model(message.model)
        return library.listed()

    def _shut_down(self, asker: Asker) -> Pong:
        if asker.user:
            raise RequestRefused("not-allowed", "this daemon is shared: only who runs it may stop it")
        log.info("a client asks for the end")
        self.stop()
        return self._pong()

    def _info(self, job: Job) -> JobInfo:
        machines = self._scheduler.machines.running(job.id) if job.is_active else ()
        return self._jobs.info(job, time.time(), machines)

    def _send(self, asker: Asker, message: DaemonMessage) -> bool:
        """Send a message; False if the client does not read at present, or is gone for good."""
        try:
            return self._router.send(asker.client, asker.user, codec.encode(message, asker.request_id))
        except ClientGone:
            self._watchers.remove_client(asker.client)
            return False


def _owner(asker: Asker, token: str) -> str:
    """Return what is kept of a client's token, which is no use to who reads it; "" without one.

    Another user than the daemon's own has proved who it is, so that its token does not matter.
    """
    known = asker.user or token
    return hashlib.sha256(known.encode()).hexdigest() if known else ""


def _may_see(asker: Asker, job: Job) -> bool:
    return not asker.user or job.record.owner == _owner(asker, "")


def _refusal(exc: RequestRefused) -> Refusal:
    return Refusal(exc.code, clip_note(str(exc)))
