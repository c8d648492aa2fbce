"""Takes jobs from their acceptance through the queue and the executor to their end.

The store comes first and the move after it: the state of a job never says more than the store holds. Where the store
fails, what was asked for is refused, or the job ends as failed with the reason.

The store works in a thread. While it works at a job, that job is busy, and whatever else concerns it waits its turn.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TypeVar

from daemon.answers import answer, answered, ignore, refused, stored
from daemon.ends import MAX_UNKEPT_BYTES, describe, keep_end
from daemon.errors import RequestRefused, StoreError
from daemon.executors.base import (
    Event,
    Executor,
    JobAdvanced,
    JobDone,
    JobEmbedded,
    JobFailed,
    JobGivenBack,
    MachineChanged,
    MachineGone,
)
from daemon.job_kinds import digest_of, picture_bytes, result_bytes, title
from daemon.jobs import Job, JobRecord, Jobs, Outcome
from daemon.library import Library
from daemon.machines import Machines
from daemon.metrics import Metrics
from daemon.store import RELEASED, Store
from daemon.store_thread import Rank, StoreThread, Then
from daemon.texts import clip_note, short
from plugin_client.wire.messages import Failed, JobRequest, ModelInfo, Result, StoreTrouble

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2  # at one job, whose machine is lost or whose daemon is killed while it runs
HOUSEKEEPING_PAUSE = 1.0  # s

T = TypeVar("T")
R = TypeVar("R")


class Scheduler:
    """The jobs of a daemon. `models` are the names that it was given, the default first; `library` has all.

    What waits for the store takes a function `then`, which is given the answer, or the RequestRefused in its place: at
    once, or at a later turn().
    """

    def __init__(
        self, executor: Executor, store: Store, models: Sequence[str], metrics: Metrics, library: Library | None = None
    ) -> None:
        self._executor = executor
        self._metrics = metrics
        self._store = store
        self.jobs = Jobs()
        self.machines = Machines(models)
        self._thread = StoreThread()
        self._busy: dict[str, deque[Callable[[], None]]] = {}  # by job id: what waits until the store is done with it
        self._starting: str | None = None  # id of the job that is being started
        self.library = library or Library(models)
        self._unkept: dict[str, tuple[Outcome, float]] = {}  # ends that the store has not taken, and their times
        self._start_again_at = 0.0  # s
        self._why_put_off = ""  # why the store could not keep the last start
        self.trouble: StoreTrouble | None = None  # of the store
        self._expiring = False
        self._kept_house_at = 0.0

    def fileno(self) -> int:
        """File descriptor that is readable while turn() has something to do for the store."""
        return self._thread.fileno()

    def close(self) -> None:
        """End the thread in which the store works."""
        self._thread.close()

    def settle(self) -> None:
        """Wait until the store has done all that it was asked for."""
        self._thread.settle()

    def when_free(self, job_id: str, action: Callable[[], None]) -> None:
        """Do something as soon as the store does not work at a job: now, if it does not."""
        if job_id in self._busy:
            self._busy[job_id].append(action)
        else:
            action()

    def crowd(self, job_id: str) -> int:
        """Return how much waits for when_free()."""
        return len(self._busy.get(job_id, ()))

    def restore(self) -> None:
        """Take in what the store holds from an earlier life of the daemon; to be called before anything else.

        Raises:
            StoreError: it cannot be read.
        """
        ended = [
            Job(kept.record, kept.state, started=kept.started, ended=kept.ended, error=kept.error)
            for kept in self._store.ended()
        ]
        pending = [Job(kept.record, attempts=kept.attempts) for kept in self._store.pending()]
        for job in sorted(ended, key=lambda job: job.record.accepted):
            self.jobs.add(job)
        for job in pending:
            self.jobs.add(job)
            if job.attempts >= MAX_ATTEMPTS:
                self._end(job, Failed(job.id, "worker-died", f"the daemon ended while it ran, {job.attempts} times"))
        if pending:
            log.info("%d jobs of an earlier daemon wait", len(self.jobs.waiting()))

    # --- what clients ask for ----------------------------------------------------------------------------------------

    def submit(self, job_id: str, request: JobRequest, client: str, owner: str, then: Then[Job]) -> None:
        """Answer with the job of this id and request, which is put in the queue if it is new.

        Refused with "unknown-model", "queue-full", "id-in-use", "gone" or "store-failed".

        Args:
            client: whose share of the queue it takes.
            owner: digest of the token of those who are told its id; "" without one.
        """
        self.when_free(job_id, partial(self._submit, job_id, request, client, owner, then))

    def _submit(self, job_id: str, request: JobRequest, client: str, owner: str, then: Then[Job]) -> None:
        try:
            self.library.check_drawable(request.model)
            job = self.jobs.find(job_id)
            if job is None:
                self._check_not_gone(job_id)
                self._accept(self._record(job_id, request, client, owner), request, then)
            else:
                self._compare(job, request, then)
        except RequestRefused as exc:
            then(refused(exc))

    def get(self, job_id: str) -> Job:
        """Raises: RequestRefused: "unknown-job" or "gone"."""
        if job := self.jobs.find(job_id):
            return job
        self._check_not_gone(job_id)
        raise RequestRefused("unknown-job", f"no job {job_id} is known: it was never submitted, or is long forgotten")

    def cancel(self, job: Job) -> None:
        """Queued: it is over. Running: the executor is asked to end it. Otherwise nothing: asking again is harmless."""
        if job.state == "queued":
            self._end(job, Failed(job.id, "cancelled", "cancelled before it began"))
        elif job.state == "running":
            self.jobs.cancel(job)
            self._executor.cancel(job.id)

    def cancel_all(self) -> None:
        self.settle()
        for job in self.jobs.all():
            self.cancel(job)

    def break_off(self) -> None:
        """End all jobs that run without waiting for their executor, which is stopped next."""
        self.settle()
        for job in self.jobs.active():
            self._end(job, Failed(job.id, "cancelled", "broken off, because the daemon was stopped"))
        self.settle()

    def leave(self) -> None:
        """Leave to the next daemon what runs and waits. The executor is stopped next."""
        self.settle()
        for job in self.jobs.active():
            if job.state == "cancelling":
                self._end(job, Failed(job.id, "cancelled", "cancelled while it ran"))
            else:
                self._withdraw(job)
                self.jobs.give_back(job)
        self.settle()
        if waiting := self.jobs.waiting():
            log.info("%d jobs are kept: they go on when a daemon is started again", len(waiting))

    def fetch(self, job: Job, then: Then[Outcome]) -> None:
        """Answer with the outcome of a job that is over. Refused with "store-failed"."""
        if job.id in self._unkept:
            then(answered(self._unkept[job.id][0]))
        else:
            self._thread.do(partial(self._store.outcome, job.id), lambda read: then(answer(partial(stored, read))))

    def release(self, job: Job, then: Then[None]) -> None:
        """Forget a job that is over, and its pictures. Refused with "store-failed".

        Raises:
            RequestRefused: "not-ready".
        """
        if not job.is_over:
            raise RequestRefused("not-ready", f"job {job.id} is {job.state}: cancel it first")
        if job.id in self._unkept:
            self._keep_again(job.id, lambda kept: then(kept) if kept.exception() else self._drop(job, then))
        else:
            self._drop(job, then)

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the models that can be asked for, the default first."""
        return self.library.infos(self.machines.models(self.library.offered))

    def remove_model(self, name: str) -> None:
        """Have a model deleted that no job needs. Raises: RequestRefused, as of Library.remove."""
        self.library.remove(name, (job.record.model for job in self.jobs.all() if not job.is_over))

    # --- what happens by itself --------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Take in what the store, the library and the executor have to tell, and start a job where a slot is free."""
        self._thread.poll()
        self.library.turn()
        for event in self._executor.poll():
            self._take(event)
        if self._starting is None and time.monotonic() >= self._start_again_at:
            self._start_next()

    def keep_house(self) -> None:
        """Forget ended jobs beyond the store's limits, and keep what could not be kept before.

        Also shows the queue to the metrics.

        Does something once in HOUSEKEEPING_PAUSE, so it may be called at every turn.
        """
        if time.monotonic() - self._kept_house_at < HOUSEKEEPING_PAUSE:
            return
        self._kept_house_at = time.monotonic()
        self._metrics.show(len(self.jobs.waiting()), len(self.jobs.active()), self.machines.memory)
        for job_id in self._unkept.keys() - self._busy.keys():
            self._keep_again(job_id)
        if not self._expiring:
            self._expiring = True
            self._thread.do(lambda: self._store.expire(time.time()), self._expired)
            self._thread.do(self._store.trouble, self._see_trouble)

    def _see_trouble(self, seen: Future[StoreTrouble | None]) -> None:
        trouble = seen.result()
        if trouble and trouble != self.trouble:
            log.error("no job can be kept (%s): all wait until that is mended", trouble)
        elif self.trouble and not trouble:
            log.info("jobs can be kept again")
        self.trouble = trouble

    def _expired(self, forgotten: Future[tuple[str, ...]]) -> None:
        self._expiring = False
        try:
            for job_id in forgotten.result():
                self.when_free(job_id, partial(self.jobs.forget, job_id))
        except StoreError as exc:
            log.warning("the store fails, and is tried again: %s", exc)

    def _take(self, event: Event) -> None:
        match event:
            case MachineChanged():
                self.machines.change(event.machine)
            case MachineGone():
                self.machines.remove(event.name)
            case JobEmbedded():
                pass  # the executor's own business
            case JobAdvanced() | JobGivenBack() | JobDone() | JobFailed():
                self.when_free(event.job, partial(self._follow, event))

    def _follow(self, event: JobAdvanced | JobGivenBack | JobDone | JobFailed) -> None:
        job = self.jobs.find(event.job)
        if job is None or not job.is_active:
            log.warning("job %s does not run, but its executor tells of it", short(event.job))
            return
        match event:
            case JobAdvanced():
                self.jobs.advance(job, event, time.time())
            case JobGivenBack():
                self._give_back(job, event.reason)
            case JobDone():
                self._end(job, Result(event.job, event.pictures, event.recipe, event.warnings))
            case JobFailed():
                self._end(job, Failed(event.job, event.code, event.message))

    def _check_not_gone(self, job_id: str) -> None:
        if why := self._store.gone(job_id):
            raise RequestRefused("gone", f"job {job_id} is not kept any more: {why}")

    def _record(self, job_id: str, request: JobRequest, client: str, owner: str) -> JobRecord:
        """Return the record of a new job, for which there is room. Raises: RequestRefused."""
        size = picture_bytes(request)
        self.jobs.check_room(client, size)
        return JobRecord(
            id=job_id,
            title=title(request),
            model=request.model,
            picture_bytes=size,
            result_bytes=result_bytes(request, self.machines.side(request.model)),
            accepted=time.time(),
            digest="",
            client=client,
            owner=owner,
        )

    def _accept(self, record: JobRecord, request: JobRequest, then: Then[Job]) -> None:
        def keep() -> JobRecord:
            whole = replace(record, digest=digest_of(request))
            self._store.accept(whole, request)
            return whole

        def add(kept: Future[JobRecord]) -> Job:
            self.jobs.forget_expected(record.id)
            job = Job(stored(kept))
            self.jobs.add(job)
            log.info("job %s accepted: %s", short(job.id), record.title)
            return job

        self.jobs.expect(record)
        self._in_store(record.id, keep, add, then, Rank.WHEN_FREE)

    def _compare(self, job: Job, request: JobRequest, then: Then[Job]) -> None:
        """Answer with the job if this is its request."""

        def check(digest: Future[str]) -> Job:
            if digest.result() != job.record.digest:
                raise RequestRefused("id-in-use", f"job {job.id} has another request already: make a new id")
            return job

        self._in_store(job.id, partial(digest_of, request), check, then, Rank.WHEN_FREE)

    def _start_next(self) -> None:
        for job in self.jobs.waiting():
            if job.id not in self._busy and self._executor.free_slots(job.record.model) > 0:
                self._start(job)
                return

    def _start(self, job: Job) -> None:
        now = time.time()

        def read(done: Future[JobRequest]) -> None:
            try:
                request = done.result()
            except StoreError as exc:
                self._starting = None
                self._end(job, Failed(job.id, "store-failed", clip_note(f"it could not be started: {exc}")))
                return
            self._in_store(job.id, partial(self._store.start, job.id, now), partial(run, request))

        def run(request: JobRequest, counted: Future[None]) -> None:
            self._starting = None
            try:
                counted.result()
            except StoreError as exc:
                self._put_off_starts(str(exc))
                return
            self._why_put_off = ""
            if self._executor.free_slots(job.record.model) > 0:
                self.jobs.start(job, now)
                self._executor.run(job.id, request)
            else:  # the machine has gone meanwhile
                self._withdraw(job)

        self._starting = job.id
        self._in_store(job.id, partial(self._store.request, job.id), read)

    def _put_off_starts(self, why: str) -> None:
        if why != self._why_put_off:
            log.warning("jobs wait: %s", why)
        self._why_put_off = why
        self._start_again_at = time.monotonic() + HOUSEKEEPING_PAUSE

    def _withdraw(self, job: Job) -> None:
        """Have the store count the last attempt at a job no more."""

        def check(withdrawn: Future[None]) -> None:
            try:
                withdrawn.result()
            except StoreError as exc:
                log.warning("the attempt at job %s counts, although it was broken off: %s", short(job.id), exc)

        self._in_store(job.id, partial(self._store.withdraw, job.id), check)

    def _give_back(self, job: Job, reason: str) -> None:
        """Queue a job that has lost its machine again, or end it if it was cancelled or is lost too often."""
        if job.state == "cancelling":
            self._end(job, Failed(job.id, "cancelled", "cancelled while it ran"))
        elif job.attempts >= MAX_ATTEMPTS:
            self._end(job, Failed(job.id, "worker-died", clip_note(f"it was lost {job.attempts} times: {reason}")))
        else:
            self.jobs.give_back(job)
            log.warning("job %s goes back to the queue: %s", short(job.id), reason)

    def _end(self, job: Job, outcome: Outcome) -> None:
        now = time.time()
        room = MAX_UNKEPT_BYTES - sum(picture_bytes(unkept) for unkept, _ in self._unkept.values())

        def finish(done: Future[tuple[Outcome, bool]]) -> None:
            counting, is_kept = done.result()
            if not is_kept:
                self._unkept[job.id] = (counting, now)
            self.jobs.finish(job, counting, now)
            self._metrics.job_ended(job.state, job.seconds(now))
            log.info("job %s %s", short(job.id), describe(counting, job.seconds(now)))

        self._in_store(job.id, partial(keep_end, self._store, job.id, outcome, now, room), finish)

    def _keep_again(self, job_id: str, then: Then[None] = ignore) -> None:
        """Have the store take the outcome of a job that it has not taken before."""
        outcome, ended = self._unkept[job_id]

        def check(kept: Future[None]) -> None:
            stored(kept)
            del self._unkept[job_id]

        self._in_store(job_id, partial(self._store.finish, job_id, outcome, ended), check, then)

    def _drop(self, job: Job, then: Then[None]) -> None:
        def forget(dropped: Future[None]) -> None:
            stored(dropped)
            self.jobs.forget(job.id)

        self._in_store(job.id, partial(self._store.forget, job.id, RELEASED), forget, then)

    def _in_store(
        self,
        job_id: str,
        work: Callable[[], T],
        follow: Callable[[Future[T]], R],
        then: Then[R] = ignore,
        rank: Rank = Rank.SOON,
    ) -> None:
        """Have the store do some work for a job that is not busy.

        Args:
            work: runs in the store's thread.
            follow: makes the answer of what became of the work, or raises RequestRefused.
            then: is given the answer.
        """

        def finish(done: Future[T]) -> None:
            waiting = self._busy.pop(job_id)
            then(answer(partial(follow, done)))
            for action in waiting:
                self.when_free(job_id, action)

        self._busy[job_id] = deque()
        self._thread.do(work, finish, rank)
