"""The states of a job, the moves between them, and the queue. No sockets, no pictures, no clock: time is passed in.

    queued --> running --> done | failed
       |          |
       |          v
       |      cancelling --> cancelled | done | failed
       v
    cancelled

A job that is being cancelled may still end as done: its last step was already being taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.errors import RequestRefused
from daemon.logs import one_line
from plugin_client.wire.limits import MAX_NOTE_CHARS
from plugin_client.wire.messages import (
    Blend,
    EmbedsItem,
    Failed,
    Item,
    JobInfo,
    JobState,
    PictureItem,
    Progress,
    Result,
    TextItem,
)

Outcome = Result | Failed

MAX_WAITING = 50  # jobs in the queue
MAX_WAITING_BYTES = 2**30  # of the pictures in the queue: four messages of the largest size
TITLE_CHARS, NAME_CHARS = 120, 30  # of a title, of one item's name in it

_MOVES: dict[JobState, tuple[JobState, ...]] = {
    "queued": ("running", "cancelled"),
    "running": ("cancelling", "done", "failed", "cancelled"),
    "cancelling": ("cancelled", "done", "failed"),
    "done": (),
    "failed": (),
    "cancelled": (),
}


class IllegalMove(RuntimeError):
    """A job was told to go where no arrow leads: a mistake of the daemon, never of a client."""


@dataclass
class Job:
    """What the daemon knows of one job, its pictures excepted. Times are on the caller's clock, in seconds."""

    id: str
    title: str
    picture_bytes: int
    state: JobState = "queued"
    started: float | None = None
    ended: float | None = None
    progress: Progress | None = None
    progress_at: float = 0.0
    error: str = ""

    @property
    def is_active(self) -> bool:
        """Whether the executor has it."""
        return self.state in ("running", "cancelling")

    @property
    def is_over(self) -> bool:
        return not _MOVES[self.state]

    def move(self, state: JobState) -> None:
        if state not in _MOVES[self.state]:
            raise IllegalMove(f"job {self.id} is {self.state} and cannot become {state}")
        self.state = state

    def seconds(self, now: float) -> float:
        """How long it has run, or ran."""
        if self.started is None:
            return 0.0
        return max(0.0, (now if self.ended is None else self.ended) - self.started)


class Jobs:
    """All jobs that the daemon knows, in the order of their arrival, and the queue among them: first in, first out."""

    def __init__(self, max_waiting: int = MAX_WAITING, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._max_waiting = max_waiting
        self._max_waiting_bytes = max_waiting_bytes
        self._jobs: dict[str, Job] = {}

    def find(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def get(self, job_id: str) -> Job:
        """Raises: RequestRefused("unknown-job")."""
        if job := self.find(job_id):
            return job
        raise RequestRefused("unknown-job", f"no job {job_id} is known: it was never submitted, or is forgotten")

    def all(self) -> tuple[Job, ...]:
        return tuple(self._jobs.values())

    def waiting(self) -> tuple[Job, ...]:
        return tuple(job for job in self._jobs.values() if job.state == "queued")

    def active(self) -> tuple[Job, ...]:
        return tuple(job for job in self._jobs.values() if job.is_active)

    def ahead(self, job: Job) -> int:
        """How many jobs run before it."""
        if job.state != "queued":
            return 0
        return len(self.active()) + self.waiting().index(job)

    def submit(self, job_id: str, blend: Blend) -> Job:
        """A new job at the end of the queue. Looks at no pixel: the largest pictures are 256 MiB.

        Raises: RequestRefused("queue-full").
        """
        assert job_id not in self._jobs, f"job {job_id} is known"
        job = Job(job_id, title(blend), picture_bytes(blend.items))
        self._check_room(job)
        self._jobs[job_id] = job
        return job

    def start(self, job: Job, now: float) -> None:
        job.move("running")
        job.started = now

    def advance(self, job: Job, progress: Progress, now: float) -> None:
        job.progress, job.progress_at = progress, now

    def cancel(self, job: Job) -> None:
        """A running job is asked to stop; finish() tells when it has."""
        job.move("cancelling")

    def finish(self, job: Job, outcome: Outcome, now: float) -> None:
        job.move(_end_state(outcome))
        job.ended = now
        if isinstance(outcome, Failed):
            job.error = outcome.message

    def forget(self, job_id: str) -> None:
        del self._jobs[job_id]

    def info(self, job: Job, now: float) -> JobInfo:
        progress = job.progress
        return JobInfo(
            job=job.id,
            state=job.state,
            stage=progress.stage if progress else "queued",
            step=progress.step if progress else 0,
            steps=progress.steps if progress else 0,
            ahead=self.ahead(job),
            elapsed=job.seconds(now),
            remaining=_remaining(job, now),
            title=job.title,
            error=job.error,
        )

    def _check_room(self, job: Job) -> None:
        waiting = self.waiting()
        if len(waiting) >= self._max_waiting:
            raise RequestRefused("queue-full", f"{len(waiting)} jobs wait already: try again when one has ended")
        held = sum(other.picture_bytes for other in waiting)
        if held + job.picture_bytes > self._max_waiting_bytes:
            raise RequestRefused("queue-full", f"{held / 1e6:.0f} MB of pictures wait: try again when a job has ended")


def title(blend: Blend) -> str:
    """What a blend makes, in one printable line: "0.3 a cat + 0.7 sky, seed 42"."""
    sum_of_items = " + ".join(f"{item.weight:g} {_name(item)}" for item in blend.items)
    seed = f", seed {blend.seed}"
    return _cut(sum_of_items, TITLE_CHARS - len(seed)) + seed


def picture_bytes(items: Iterable[Item]) -> int:
    return sum(map(_payload_bytes, items))


def clip_note(text: str) -> str:
    """`text` in as many characters as a message's note may have."""
    return _cut(text, MAX_NOTE_CHARS)


def _payload_bytes(item: Item) -> int:
    if isinstance(item, PictureItem):
        return len(item.picture.pixels)
    return len(item.embeds) if isinstance(item, EmbedsItem) else 0


def _name(item: Item) -> str:
    name = one_line(item.text if isinstance(item, TextItem) else item.label)
    return _cut(name, NAME_CHARS) or ("nothing" if isinstance(item, TextItem) else "a picture")


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"


def _end_state(outcome: Outcome) -> JobState:
    if isinstance(outcome, Result):
        return "done"
    return "cancelled" if outcome.code == "cancelled" else "failed"


def _remaining(job: Job, now: float) -> float:
    """Seconds; what the executor last said, less what has passed since. -1 while it cannot be told."""
    if job.is_over:
        return 0.0
    if job.progress is None or job.progress.remaining < 0:
        return -1.0
    return max(0.0, job.progress.remaining - (now - job.progress_at))
