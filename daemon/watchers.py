"""The clients that watch jobs, and what each has been sent. Knows no sockets: it sends through a function."""

from __future__ import annotations

import math
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
        # By job id: the progress that each has been sent last, the oldest watcher first.
        self._watches: dict[str, dict[Asker, JobAdvanced | None]] = {}
        self._sent_at: dict[str, float] = {}  # by job id: when progress was sent last

    def add(self, job_id: str, asker: Asker) -> None:
        watches = self._watches.setdefault(job_id, {})
        watches.setdefault(asker, None)
        if len(watches) > MAX_WATCHES:
            del watches[next(iter(watches))]

    def remove_client(self, client: bytes) -> None:
        for job_id, watches in self._watches.items():
            self._watches[job_id] = {asker: told for asker, told in watches.items() if asker.client != client}

    def remove_job(self, job_id: str) -> None:
        self._watches.pop(job_id, None)
        self._sent_at.pop(job_id, None)

    def watched(self) -> tuple[str, ...]:
        """Ids of the jobs that somebody has watched to whom the end is still to be sent."""
        return tuple(self._watches)

    def clients(self, job_id: str) -> set[bytes]:
        """The clients that watch a job."""
        return {asker.client for asker in self._watches.get(job_id, ())}

    def send_progress(self, job: Job) -> None:
        """Send a job's progress, when it is due, to whom it is new. Who cannot take it gets the newest one later."""
        if job.progress is None or time.monotonic() - self._sent_at.get(job.id, -math.inf) < PROGRESS_PAUSE:
            return
        behind = [asker for asker, told in self._watches[job.id].items() if told is not job.progress]
        if not behind:
            return
        self._sent_at[job.id] = time.monotonic()
        message = progress_message(job, job.progress, time.time())
        for asker in behind:
            if self._send(asker, message) and asker in self._watches[job.id]:  # else it is gone
                self._watches[job.id][asker] = job.progress

    def send_end(self, job: Job, end: Outcome | Refusal) -> bool:
        """Send the end of a job; whether all have taken it. Who has not stays, for the next call."""
        for asker in tuple(self._watches.get(job.id, ())):
            if self._send(asker, end):
                self._watches[job.id].pop(asker, None)  # it may have been removed as gone, and be back
        if self._watches.get(job.id):
            return False
        self.remove_job(job.id)
        return True
