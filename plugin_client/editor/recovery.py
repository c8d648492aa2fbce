"""Results of plug-in processes that have ended before them: found, offered, and fetched or discarded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from plugin_client.client import Client
from plugin_client.editor.background import Background
from plugin_client.editor.pending_jobs import PendingJob, PendingJobLock, lock_abandoned
from plugin_client.editor.report import job_line
from plugin_client.editor.scheduler import Scheduler
from plugin_client.editor.translation import _
from plugin_client.job import BlendResult
from plugin_client.wire.errors import KandinskyError, Refused, TransportError
from plugin_client.wire.messages import JobInfo, Progress

PERIOD = 1.0  # s between looks for news


@dataclass(frozen=True)
class RecoverableJob:
    """An abandoned job, now locked by this process, and the daemon's word of it: None when it no longer knows it."""

    lock: PendingJobLock
    info: JobInfo | None

    @property
    def is_ready(self) -> bool:
        return self.info is not None and self.info.state == "done"

    @property
    def is_hopeless(self) -> bool:
        """Whether there will be no result."""
        return self.info is None or self.info.state in ("failed", "cancelled", "cancelling")


def find_recoverable(client: Client, locks: Iterable[PendingJobLock]) -> list[RecoverableJob]:
    """Ask the daemon for the state of locked jobs. Errors as of Client.jobs."""
    known = {info.job: info for info in client.jobs()}
    return [RecoverableJob(lock, known.get(lock.pending.job)) for lock in locks]


def fetch(client: Client, lock: PendingJobLock, on_progress: Callable[[Progress], None]) -> BlendResult:
    """Wait for a result, which the daemon keeps. Errors as of Client.job and Job.result."""
    job = client.job(lock.pending.job)
    for progress in job.watch():
        on_progress(progress)
    return job.result()


def release(client: Client, lock: PendingJobLock) -> None:
    """Have the daemon forget a job, which is cancelled if it runs. Errors as of Client.job."""
    with suppress(Refused):  # it has forgotten it already
        client.job(lock.pending.job).discard()


@dataclass(frozen=True)
class RecoveryNotice:
    """A text to show, and what can be done about it."""

    text: str
    can_open: bool = False
    can_discard: bool = False


class Recovery:
    """Looks once a second for abandoned jobs, and opens or discards those that it has offered.

    No daemon is started only to look. What is neither opened nor discarded is offered again another time.

    Args:
        background: the connection.
        scheduler: calls for the looks.
        insert: puts a result where it belongs, sooner or later, and then calls what it was given with the name of the
            layer.
        on_notice: called with what is to be shown; None is nothing any more.
    """

    def __init__(
        self,
        background: Background,
        scheduler: Scheduler,
        insert: Callable[[PendingJob, BlendResult, Callable[[str], None]], None],
        on_notice: Callable[[RecoveryNotice | None], None],
    ) -> None:
        self._background = background
        self._insert = insert
        self._on_notice = on_notice
        self._locks: list[PendingJobLock] = []
        self._offered: list[RecoverableJob] = []  # what `open` and `discard` act on
        self._arrived: list[PendingJobLock] = []  # whose results are being inserted
        self._is_asking = False
        self._end_looks = scheduler.repeat(PERIOD, self._look)
        self._is_open = True
        self._look()

    def close(self) -> None:
        """Look no more, and leave what was not opened to other processes."""
        if self._is_open:
            self._is_open = False
            self._end_looks()
            for lock in self._locks:
                lock.release()
            self._locks.clear()

    def open(self) -> None:
        """Fetch and insert the results that are ready."""
        for job in self._offered:
            self._fetch(job.lock)

    def discard(self) -> None:
        """Give up what was offered."""
        for job in self._offered:
            self._give_up(job.lock)

    def _look(self) -> None:
        self._locks += lock_abandoned()
        if self._locks and not self._is_asking:
            self._is_asking = True
            locks = tuple(self._locks)
            self._background.ask(lambda client: find_recoverable(client, locks), self._found)

    def _found(self, found: Sequence[RecoverableJob] | KandinskyError) -> None:
        self._is_asking = False
        if isinstance(found, KandinskyError):
            return  # as long as no daemon answers, nothing is known
        known = [job for job in found if job.lock in self._locks and job.lock not in self._arrived]
        hopeless = [job for job in known if job.is_hopeless]
        for job in hopeless:
            self._settle(job.lock)
        if known:
            ready = [job for job in known if job.is_ready]
            self._offered = ready or [job for job in known if not job.is_hopeless]
            line = _ready(ready) or _unfinished(self._offered) or _gone(hopeless)
            self._on_notice(RecoveryNotice(line, can_open=bool(ready), can_discard=bool(self._offered)))

    def _fetch(self, lock: PendingJobLock) -> None:
        self._background.ask(
            lambda client: fetch(client, lock, lambda progress: None), lambda end: self._fetched(lock, end)
        )

    def _fetched(self, lock: PendingJobLock, end: BlendResult | KandinskyError) -> None:
        if lock not in self._locks or lock in self._arrived:
            return  # it was opened twice
        if isinstance(end, KandinskyError):
            self._fail(lock, end)
            return
        self._arrived.append(lock)
        self._insert(lock.pending, end, lambda name: self._inserted(lock, name))

    def _inserted(self, lock: PendingJobLock, name: str) -> None:
        self._settle(lock)
        self._background.ask(lambda client: release(client, lock), lambda _: None)
        self._on_notice(RecoveryNotice(_("Here it is: {layer}").format(layer=name)))

    def _give_up(self, lock: PendingJobLock) -> None:
        self._background.ask(lambda client: release(client, lock), lambda error: self._given_up(lock, error))

    def _given_up(self, lock: PendingJobLock, error: KandinskyError | None) -> None:
        if error is not None:
            self._fail(lock, error)
            return
        self._settle(lock)
        self._on_notice(None)

    def _fail(self, lock: PendingJobLock, error: KandinskyError) -> None:
        """There will be no result, unless it is only that no daemon answers."""
        if not isinstance(error, TransportError):
            self._settle(lock)
        self._on_notice(RecoveryNotice(error.render(_)))

    def _settle(self, lock: PendingJobLock) -> None:
        if lock in self._locks:
            self._locks.remove(lock)
            lock.settle(None)


def _ready(ready: Sequence[RecoverableJob]) -> str:
    if len(ready) == 1:
        return _("A picture from an earlier session is ready: {title}").format(title=ready[0].lock.pending.title)
    return _("Pictures from earlier sessions are ready: {number}").format(number=len(ready)) if ready else ""


def _unfinished(jobs: Sequence[RecoverableJob]) -> str:
    if not jobs or jobs[0].info is None:
        return ""
    first = jobs[0].lock.pending.title
    line = _("A picture from an earlier session is still being made: {title}").format(title=first)
    return f"{line}\n{job_line(jobs[0].info)}"


def _gone(hopeless: Sequence[RecoverableJob]) -> str:
    titles = "; ".join(job.lock.pending.title for job in hopeless)
    return _("The daemon no longer has what an earlier session asked for: {titles}").format(titles=titles)
