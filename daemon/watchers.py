"""The clients that watch jobs, and what each has been sent. Knows no sockets: it sends through a function."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon.executors.base import JobAdvanced
from daemon.jobs import Job, Outcome, progress_message
from plugin_client.wire.messages import DaemonMessage, Refusal

PROGRESS_PAUSE = 0.05  # s between two progress messages of a job
MAX_WATCHES = 1000  # of one job: the next one displaces the oldest


@dataclass(frozen=True)
class Asker:
    """A client, and the id of its request, under which all answers go back."""

    client: bytes
    request_id: int
    user: str = ""  # public key of another user than the daemon's own


class Watchers:
    """The watchers of all jobs. `send` says whether a message is on its way; see Server._send."""

    def __init__(self, send: Callable[[Asker, DaemonMessage], bool]) -> None:
        self._send = send
        self._watches: dict[str, dict[Asker, None]] = {}  # by job id; an ordered set, the oldest first
        self._told: dict[str, tuple[JobAdvanced, float]] = {}  # by job id: the last progress that was sent, and when

    def add(self, job_id: str, asker: Asker) -> None:
        watches = self._watches.setdefault(job_id, {})
        watches[asker] = None
        if len(watches) > MAX_WATCHES:
            del watches[next(iter(watches))]

    def remove_client(self, client: bytes) -> None:
        for job_id, watches in self._watches.items():
            self._watches[job_id] = {asker: None for asker in watches if asker.client != client}

    def remove_job(self, job_id: str) -> None:
        self._watches.pop(job_id, None)
        self._told.pop(job_id, None)

    def watched(self) -> tuple[str, ...]:
        """Ids of the jobs that somebody has watched to whom the end is still to be sent."""
        return tuple(self._watches)

    def clients(self, job_id: str) -> set[bytes]:
        """The clients that watch a job."""
        return {asker.client for asker in self._watches.get(job_id, ())}

    def send_progress(self, job: Job) -> None:
        """Send a job's progress if it is new and due. Who cannot take it now misses it."""
        if job.progress is None or not self._is_due(job.id, job.progress):
            return
        self._told[job.id] = (job.progress, time.monotonic())
        message = progress_message(job, job.progress, time.time())
        for asker in tuple(self._watches[job.id]):
            self._send(asker, message)

    def send_end(self, job: Job, end: Outcome | Refusal) -> None:
        """Send the end of a job. Who cannot take it now stays, for the next call."""
        for asker in tuple(self._watches[job.id]):
            if self._send(asker, end):
                self._watches[job.id].pop(asker, None)  # it may have been removed as gone, and be back
        if not self._watches[job.id]:
            self.remove_job(job.id)

    def _is_due(self, job_id: str, progress: JobAdvanced) -> bool:
        told, at = self._told.get(job_id, (None, 0.0))
        return progress is not told and time.monotonic() - at >= PROGRESS_PAUSE
