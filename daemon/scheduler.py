"""Takes jobs from their acceptance through the queue and the executor to their end.

The store comes first and the move after it: the state of a job never says more than the store holds. Where the store
fails, what was asked for is refused, or the job ends as failed with the reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
from daemon.machines import Machines
from daemon.metrics import Metrics
from daemon.store import RELEASED, Store
from daemon.texts import clip_note
from plugin_client.wire.messages import Failed, JobRequest, Result

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2  # at one job, whose machine is lost or whose daemon is killed while it runs
HOUSEKEEPING_PAUSE = 1.0  # s


class Scheduler:
    """The jobs of a daemon. `models` are the names that may be asked for, the default first."""

    def __init__(self, executor: Executor, store: Store, models: Sequence[str], metrics: Metrics) -> None:
        self._executor = executor
        self._metrics = metrics
        self._store = store
        self.jobs = Jobs()
        self.machines = Machines(models)
        self._unkept: dict[str, tuple[Outcome, float]] = {}  # ends that the store has not taken, and their times
        self._kept_house_at = 0.0

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

    def submit(self, job_id: str, request: JobRequest, client: str, owner: str) -> Job:
        """The job of this id and request, which is put in the queue if it is new.

        Args:
            client: whose share of the queue it takes.
            owner: digest of the token of those who are told its id; "" without one.

        Raises:
            RequestRefused: "unknown-model", "queue-full", "id-in-use", "gone" or "store-failed".
        """
        self._check_model(request.model)
        job = self.jobs.find(job_id)
        if job is None:
            self._check_not_gone(job_id)
            return self._accept(job_id, request, client, owner)
        if job.record.digest != digest_of(request):
            raise RequestRefused("id-in-use", f"job {job.id} has another request already: make a new id")
        return job

    def get(self, job_id: str) -> Job:
        """Raises: RequestRefused: "unknown-job", "gone" or "store-failed"."""
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
        for job in self.jobs.all():
            self.cancel(job)

    def break_off(self) -> None:
        """End all jobs that run without waiting for their executor, which is stopped next."""
        for job in self.jobs.active():
            self._end(job, Failed(job.id, "cancelled", "broken off, because the daemon was stopped"))

    def leave(self) -> None:
        """Leave to the next daemon what runs and waits. The executor is stopped next."""
        for job in self.jobs.active():
            if job.state == "cancelling":
                self._end(job, Failed(job.id, "cancelled", "cancelled while it ran"))
                continue
            try:
                self._store.withdraw(job.id)
            except StoreError as exc:
                log.warning("the attempt at job %s counts, although it was broken off: %s", short(job.id), exc)
            self.jobs.give_back(job)
        if waiting := self.jobs.waiting():
            log.info("%d jobs are kept: they go on when a daemon is started again", len(waiting))

    def outcome(self, job: Job) -> Outcome:
        """The outcome of a job that is over.

        Raises:
            RequestRefused: "store-failed".
        """
        if job.id in self._unkept:
            return self._unkept[job.id][0]
        with _store_refusals():
            return self._store.outcome(job.id)

    def release(self, job: Job) -> None:
        """Forget a job that is over, and its pictures.

        Raises:
            RequestRefused: "not-ready" or "store-failed".
        """
        if not job.is_over:
            raise RequestRefused("not-ready", f"job {job.id} is {job.state}: cancel it first")
        with _store_refusals():
            self._keep_again(job.id)
            self._store.forget(job.id, RELEASED)
        self.jobs.forget(job.id)

    # --- what happens by itself --------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Take in what the executor has to tell, and start jobs where slots are free."""
        for event in self._executor.poll():
            self._take(event)
        for job in self.jobs.waiting():
            if self._executor.free_slots(job.record.model) > 0:
                self._start(job)

    def keep_house(self) -> tuple[str, ...]:
        """Forget ended jobs beyond the store's limits, their ids are returned, and keep what could not be kept before.

        Also shows the queue to the metrics.

        Does something once in HOUSEKEEPING_PAUSE, so it may be called at every turn.
        """
        if time.monotonic() - self._kept_house_at < HOUSEKEEPING_PAUSE:
            return ()
        self._kept_house_at = time.monotonic()
        self._metrics.show(len(self.jobs.waiting()), len(self.jobs.active()), self.machines.memory)
        try:
            for job_id in tuple(self._unkept):
                self._keep_again(job_id)
            expired = self._store.expire(time.time())
        except StoreError as exc:
            log.warning("the store fails, and is tried again: %s", exc)
            return ()
        for job_id in expired:
            self.jobs.forget(job_id)
        return expired

    def _take(self, event: Event) -> None:
        match event:
            case MachineChanged():
                self.machines.change(event.machine)
            case MachineGone():
                self.machines.remove(event.name)
            case JobEmbedded():
                pass  # the executor's own business
            case JobAdvanced() | JobGivenBack() | JobDone() | JobFailed():
                job = self.jobs.find(event.job)
                if job and job.is_active:
                    self._follow(job, event)
                else:
                    log.warning("job %s does not run, but its executor tells of it", short(event.job))

    def _follow(self, job: Job, event: JobAdvanced | JobGivenBack | JobDone | JobFailed) -> None:
        match event:
            case JobAdvanced():
                self.jobs.advance(job, event, time.time())
            case JobGivenBack():
                self._give_back(job, event.reason)
            case JobDone():
                self._end(job, Result(event.job, event.pictures, event.recipe, event.warnings))
            case JobFailed():
                self._end(job, Failed(event.job, event.code, event.message))

    def _check_model(self, name: str) -> None:
        names = self.machines.model_names
        if name and name not in names:
            raise RequestRefused("unknown-model", f"there is no model {name!r} here: choose one of {', '.join(names)}")

    def _check_not_gone(self, job_id: str) -> None:
        with _store_refusals():
            why = self._store.gone(job_id)
        if why:
            raise RequestRefused("gone", f"job {job_id} is not kept any more: {why}")

    def _accept(self, job_id: str, request: JobRequest, client: str, owner: str) -> Job:
        size = picture_bytes(request)
        self.jobs.check_room(client, size)
        record = JobRecord(
            id=job_id,
            title=title(request),
            model=request.model,
            picture_bytes=size,
            result_bytes=result_bytes(request, self.machines.side(request.model)),
            accepted=time.time(),
            digest=digest_of(request),
            client=client,
            owner=owner,
        )
        job = Job(record)
        with _store_refusals():
            self._store.accept(job.record, request)
        self.jobs.add(job)
        log.info("job %s accepted: %s", short(job.id), job.record.title)
        return job

    def _start(self, job: Job) -> None:
        now = time.time()
        try:
            request = self._store.request(job.id)
            self._store.start(job.id, now)
        except StoreError as exc:
            self._end(job, Failed(job.id, "store-failed", clip_note(f"it could not be started: {exc}")))
            return
        self.jobs.start(job, now)
        self._executor.run(job.id, request)

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
        kept = self._keep(job.id, outcome, now)
        self.jobs.finish(job, kept, now)
        self._metrics.job_ended(job.state, job.seconds(now))
        log.info("job %s %s", short(job.id), describe(kept, job.seconds(now)))

    def _keep(self, job_id: str, outcome: Outcome, now: float) -> Outcome:
        """Store an outcome, or else the failure that a result which cannot be stored becomes; the one that counts.

        A failure that the store does not take either is held here, and offered to the store again.
        """
        try:
            self._store.finish(job_id, outcome, now)
            return outcome
        except StoreError as exc:
            log.warning("the end of job %s cannot be stored: %s", short(job_id), exc)
            if isinstance(outcome, Result):
                failure = Failed(job_id, "store-failed", clip_note(f"it was done, and could not be stored: {exc}"))
                return self._keep(job_id, failure, now)
        self._unkept[job_id] = (outcome, now)
        return outcome

    def _keep_again(self, job_id: str) -> None:
        """Store the outcome of a job that the store has not taken before. Raises: StoreError."""
        if job_id in self._unkept:
            outcome, ended = self._unkept[job_id]
            self._store.finish(job_id, outcome, ended)
            del self._unkept[job_id]


@contextmanager
def _store_refusals() -> Iterator[None]:
    """Refuse what a client asked for where the store fails."""
    try:
        yield
    except StoreError as exc:
        raise RequestRefused("store-failed", f"{exc}; try again later") from exc


def short(job_id: str) -> str:
    """Return enough of a job's id to find it in a log."""
    return job_id[:8]


def describe(outcome: Outcome, seconds: float) -> str:
    """Return the line of the log on the end of a job."""
    if isinstance(outcome, Result):
        first, steps = outcome.pictures[0], outcome.recipe.get("steps", "?")
        return f"done in {seconds:.1f} s: {len(outcome.pictures)} x {first.width}x{first.height}, {steps} steps"
    if outcome.code == "cancelled":
        return f"cancelled after {seconds:.1f} s"
    return f"failed after {seconds:.1f} s ({outcome.code}): {outcome.message}"
