"""The memory of the daemon: requests that it accepted, and outcomes until they are released or a limit passes.

`Store` is what the scheduler asks for. MemoryStore forgets with its process, disk_store.DiskStore does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from daemon.errors import StoreError
from daemon.job_kinds import owned, picture_bytes
from daemon.jobs import JobRecord, Outcome, end_state, error_of
from plugin_client.wire.messages import JobRequest, JobState, StoreTrouble

RELEASED = "it was released"
MAX_GONE = 10_000  # jobs of which no more than a word is kept


@dataclass(frozen=True)
class Limits:
    """How much is kept of jobs that have ended. What holds no picture never displaces what does."""

    results: int = 300  # the frames of a long sweep, and more
    result_bytes: int = 2**30  # of their pictures
    others: int = 1000  # jobs that failed or were cancelled
    age: float = 24 * 3600.0  # s since a job ended


LIMITS = Limits()  # unless a test has others


@dataclass(frozen=True)
class PendingJob:
    """A job that was accepted and has not ended."""

    record: JobRecord
    attempts: int = 0  # how many times it was started
    started: float | None = None  # s since 1970, of the last attempt


@dataclass(frozen=True)
class EndedJob:
    """A job with an outcome, which outcome() gives."""

    record: JobRecord
    state: JobState
    started: float | None  # s since 1970, as `ended`
    ended: float
    error: str  # why there is no result; "" where there is one
    bytes: int  # of its pictures


class Store(Protocol):
    """Requests and outcomes by job id. Times are in seconds since 1970.

    A method that raises StoreError has changed nothing, and may be called again. One that returns has made sure of what
    it promises. All are called by one thread, gone() by any, which waits for nothing.
    """

    @property
    def outlives_the_daemon(self) -> bool:
        """Whether the next daemon finds what this one leaves."""

    def pending(self) -> tuple[PendingJob, ...]:
        """All jobs that were accepted and have not ended, in the order of their acceptance.

        Raises:
            StoreError: they cannot be read.
        """

    def ended(self) -> tuple[EndedJob, ...]:
        """All jobs that have ended and are not forgotten, the least recently ended first.

        Raises:
            StoreError: they cannot be read.
        """

    def gone(self, job_id: str) -> str:
        """Why a job is not known any more, as the end of a sentence; "" for one that never was, or went long ago."""

    def accept(self, record: JobRecord, request: JobRequest) -> None:
        """Keep a request, and room for its result: when this returns the client may be told that it was accepted.

        Raises:
            StoreError: it cannot be kept.
        """

    def request(self, job_id: str) -> JobRequest:
        """The request of a pending job.

        Raises:
            StoreError: it cannot be read.
        """

    def start(self, job_id: str, now: float) -> None:
        """Count an attempt at a pending job, before it is made.

        Raises:
            StoreError: it cannot be kept.
        """

    def withdraw(self, job_id: str) -> None:
        """Count the last attempt at a pending job no more: it was broken off through no fault of the job.

        Raises:
            StoreError: it cannot be kept.
        """

    def finish(self, job_id: str, outcome: Outcome, now: float) -> None:
        """Keep the outcome of a pending job, which has ended with it; its request is no longer needed.

        Raises:
            StoreError: it cannot be kept.
        """

    def outcome(self, job_id: str) -> Outcome:
        """The outcome of an ended job.

        Raises:
            StoreError: it cannot be read.
        """

    def forget(self, job_id: str, why: str) -> None:
        """Drop an ended job but for a word, which gone() gives. One that is dropped already stays so.

        Raises:
            StoreError: it cannot be dropped.
        """

    def expire(self, now: float) -> tuple[str, ...]:
        """Forget the least recently ended jobs until all limits hold; their ids.

        Raises:
            StoreError: one cannot be dropped; those before it may be.
        """

    def trouble(self) -> StoreTrouble | None:
        """Why nothing can be kept at present; None while all is well."""


def beyond(limits: Limits, ended: Iterable[EndedJob], now: float) -> Iterator[tuple[str, str]]:
    """Yield the id of each job that a limit lets go, and the word that it leaves. The newest result always stays.

    Args:
        ended: the least recently ended first.
        now: s since 1970.
    """
    results = others = held = 0
    for job in reversed(tuple(ended)):
        is_result = job.state == "done"
        results, others, held = results + is_result, others + (not is_result), held + job.bytes
        if now - job.ended > limits.age:
            yield job.record.id, f"it ended more than {limits.age / 3600:g} hours ago"
        elif is_result and results > limits.results:
            yield job.record.id, f"{limits.results} newer results are kept, and no more"
        elif is_result and results > 1 and held > limits.result_bytes:
            yield job.record.id, f"newer results fill the {limits.result_bytes / 2**30:.3g} GiB that are kept"
        elif not is_result and others > limits.others:
            yield job.record.id, f"{limits.others} newer jobs without a result are kept, and no more"


def remember(gone: dict[str, str], job_id: str, why: str) -> None:
    """Add the word that a job leaves to those of the last MAX_GONE, of which the oldest comes first."""
    gone[job_id] = why
    if len(gone) > MAX_GONE:
        del gone[next(iter(gone))]


@dataclass(frozen=True)
class _Pending:
    job: PendingJob
    request: JobRequest


@dataclass(frozen=True)
class _Ended:
    job: EndedJob
    outcome: Outcome


class MemoryStore:
    """A Store that lives as long as its process."""

    outlives_the_daemon = False

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._pending: dict[str, _Pending] = {}  # in the order of acceptance
        self._ended: dict[str, _Ended] = {}  # oldest first
        self._gone: dict[str, str] = {}  # oldest first

    def pending(self) -> tuple[PendingJob, ...]:
        return tuple(kept.job for kept in self._pending.values())

    def ended(self) -> tuple[EndedJob, ...]:
        return tuple(kept.job for kept in self._ended.values())

    def gone(self, job_id: str) -> str:
        return self._gone.get(job_id, "")

    def accept(self, record: JobRecord, request: JobRequest) -> None:
        self._pending[record.id] = _Pending(PendingJob(record), owned(request))

    def request(self, job_id: str) -> JobRequest:
        return self._pending[job_id].request

    def start(self, job_id: str, now: float) -> None:
        kept = self._pending[job_id]
        job = PendingJob(kept.job.record, kept.job.attempts + 1, started=now)
        self._pending[job_id] = _Pending(job, kept.request)

    def withdraw(self, job_id: str) -> None:
        kept = self._pending[job_id]
        self._pending[job_id] = _Pending(PendingJob(kept.job.record, kept.job.attempts - 1), kept.request)

    def finish(self, job_id: str, outcome: Outcome, now: float) -> None:
        pending = self._pending.pop(job_id).job
        state, held = end_state(outcome), picture_bytes(outcome)
        job = EndedJob(pending.record, state, pending.started, now, error_of(outcome), held)
        self._ended[job_id] = _Ended(job, outcome)

    def outcome(self, job_id: str) -> Outcome:
        if job_id not in self._ended:
            raise StoreError("it is not kept any more")
        return self._ended[job_id].outcome

    def forget(self, job_id: str, why: str) -> None:
        self._ended.pop(job_id, None)
        remember(self._gone, job_id, why)

    def expire(self, now: float) -> tuple[str, ...]:
        forgotten = tuple(beyond(self._limits, self.ended(), now))
        for job_id, why in forgotten:
            self.forget(job_id, why)
        return tuple(job_id for job_id, _ in forgotten)

    def trouble(self) -> StoreTrouble | None:
        return None
