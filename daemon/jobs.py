"""The states of a job, the moves between them, and the queue. No sockets, no pictures, no clock: time is passed in.

    queued <--> running --> done | failed
       |           |
       |           v
       |       cancelling --> cancelled | done | failed
       v
    cancelled | failed

A running job whose machine is lost goes back to its place in the queue. A queued job fails where it cannot be started.
A job that is being cancelled may still end as done: its last step was already being taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.errors import RequestRefused
from daemon.executors.base import JobAdvanced
from plugin_client.wire.messages import Failed, JobInfo, JobState, Progress, Result

Outcome = Result | Failed

MAX_WAITING = 50  # jobs of one client in the queue
MAX_WAITING_BYTES = 2**29  # of the pictures of one client in the queue: two messages of the largest size
MAX_ALL_WAITING = 1000  # jobs of all clients in the queue
MAX_ALL_WAITING_BYTES = 2**32  # of the pictures of all clients in the queue

_MOVES: dict[JobState, tuple[JobState, ...]] = {
    "queued": ("running", "cancelled", "failed"),
    "running": ("queued", "cancelling", "done", "failed", "cancelled"),
    "cancelling": ("cancelled", "done", "failed"),
    "done": (),
    "failed": (),
    "cancelled": (),
}


class IllegalMove(RuntimeError):
    """A move that no arrow allows: a mistake of the daemon, never of a client."""


@dataclass(frozen=True)
class JobRecord:
    """The facts of a job that are known from its acceptance on and never change."""

    id: str
    title: str
    model: str  # name of the model that it asks for; "" is the default one
    picture_bytes: int  # of the request
    result_bytes: int  # that its result may have
    accepted: float  # s since 1970
    digest: str  # of the request; "" until that is stored
    client: str  # whose share of the queue it takes
    owner: str  # digest of the token of those who are told its id; "" without one


@dataclass
class Job:
    """The state of a job. Times are in seconds since 1970."""

    record: JobRecord
    state: JobState = "queued"
    attempts: int = 0  # how many times it was started
    started: float | None = None
    ended: float | None = None
    progress: JobAdvanced | None = None
    progress_at: float = 0.0
    error: str = ""
    turn: int = 0  # in the queue: lower ones first, and of one turn those that came first

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def is_active(self) -> bool:
        """True while the executor has it."""
        return self.state in ("running", "cancelling")

    @property
    def is_over(self) -> bool:
        return not _MOVES[self.state]

    def move(self, state: JobState) -> None:
        """Raises: IllegalMove."""
        if state not in _MOVES[self.state]:
            raise IllegalMove(f"job {self.id} is {self.state} and cannot become {state}")
        self.state = state

    def seconds(self, now: float) -> float:
        """Return the seconds that it has run, or ran."""
        if self.started is None:
            return 0.0
        return max(0.0, (now if self.ended is None else self.ended) - self.started)

    def remaining(self, now: float) -> float:
        """Return the seconds that are left: the executor's last estimate less what has passed since; -1 without one."""
        if self.is_over:
            return 0.0
        if self.progress is None or self.progress.remaining < 0:
            return -1.0
        passed = max(0.0, now - self.progress_at)  # clocks may be set back
        return max(0.0, self.progress.remaining - passed)


class Jobs:
    """All jobs that the daemon knows, in the order of their arrival, and the queue among them.

    The clients take turns. A job has the turn after that of its client's last one that waits, and one that is still to
    come: who has asked for much waits for who has asked for little, and nobody saves up turns by asking for nothing.
    """

    def __init__(
        self,
        max_waiting: int = MAX_WAITING,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        max_all_waiting: int = MAX_ALL_WAITING,
        max_all_waiting_bytes: int = MAX_ALL_WAITING_BYTES,
    ) -> None:
        self._max_waiting = max_waiting
        self._max_waiting_bytes = max_waiting_bytes
        self._max_all_waiting = max_all_waiting
        self._max_all_waiting_bytes = max_all_waiting_bytes
        self._jobs: dict[str, Job] = {}
        self._expected: dict[str, JobRecord] = {}  # that are being stored
        self._turn = 0  # of who comes now: the one after that of the last job that was started

    def find(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def all(self) -> tuple[Job, ...]:
        return tuple(self._jobs.values())

    def waiting(self) -> tuple[Job, ...]:
        """The queue, the next job first."""
        queued = [job for job in self._jobs.values() if job.state == "queued"]
        return tuple(sorted(queued, key=lambda job: job.turn))

    def active(self) -> tuple[Job, ...]:
        return tuple(job for job in self._jobs.values() if job.is_active)

    def ahead(self, job: Job) -> int:
        """Return the number of jobs that run before it, unless others come who have waited for less."""
        if job.state != "queued":
            return 0
        return len(self.active()) + self.waiting().index(job)

    def check_room(self, client: str, picture_bytes: int) -> None:
        """Raises: RequestRefused("queue-full"): one more job of a client with so many bytes of pictures is too much."""
        waiting = [*(job.record for job in self.waiting()), *self._expected.values()]
        own = [record for record in waiting if record.client == client]
        if len(own) >= self._max_waiting:
            raise _full(f"{len(own)} jobs of yours wait already: try again when one has ended")
        if _held(own) + picture_bytes > self._max_waiting_bytes:
            raise _full(f"{_held(own) / 1e6:.0f} MB of your pictures wait: try again when a job has ended")
        if len(waiting) >= self._max_all_waiting:
            raise _full(f"{len(waiting)} jobs wait already: try again when one has ended")
        if _held(waiting) + picture_bytes > self._max_all_waiting_bytes:
            raise _full(f"{_held(waiting) / 1e6:.0f} MB of pictures wait: try again when a job has ended")

    def expect(self, record: JobRecord) -> None:
        """Hold a place in the queue for a job that is being stored, until forget_expected()."""
        self._expected[record.id] = record

    def forget_expected(self, job_id: str) -> None:
        del self._expected[job_id]

    def add(self, job: Job) -> None:
        """Take in a job; one that waits gets its client's next turn."""
        assert job.id not in self._jobs, f"job {job.id} is known"
        own = [other.turn for other in self.waiting() if other.record.client == job.record.client]
        job.turn = max((self._turn, *(turn + 1 for turn in own)))
        self._jobs[job.id] = job

    def start(self, job: Job, now: float) -> None:
        job.move("running")
        job.attempts += 1
        job.started = now
        self._turn = max(self._turn, job.turn + 1)

    def advance(self, job: Job, progress: JobAdvanced, now: float) -> None:
        job.progress, job.progress_at = progress, now

    def give_back(self, job: Job) -> None:
        """Put a running job back in its place in the queue."""
        job.move("queued")
        job.started = job.progress = None

    def cancel(self, job: Job) -> None:
        """Mark a running job as asked to stop; finish() says when it has."""
        job.move("cancelling")

    def finish(self, job: Job, outcome: Outcome, now: float) -> None:
        job.move(end_state(outcome))
        job.ended = now
        job.error = error_of(outcome)

    def forget(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)

    def info(self, job: Job, now: float, machines: tuple[str, ...] = ()) -> JobInfo:
        """Return what a client is told of a job, which runs on machines of these names."""
        progress = job.progress
        return JobInfo(
            job=job.id,
            state=job.state,
            stage=progress.stage if progress else "queued",
            step=progress.step if progress else 0,
            steps=progress.steps if progress else 0,
            ahead=self.ahead(job),
            elapsed=job.seconds(now),
            remaining=job.remaining(now),
            title=job.record.title,
            error=job.error,
            ended=-1.0 if job.ended is None else max(0.0, now - job.ended),
            machines=machines,
        )


def _held(records: Iterable[JobRecord]) -> int:
    return sum(record.picture_bytes for record in records)


def _full(why: str) -> RequestRefused:
    return RequestRefused("queue-full", why)


def progress_message(job: Job, progress: JobAdvanced, now: float) -> Progress:
    """Return the wire's message of a job's progress."""
    return Progress(
        job=job.id,
        stage=progress.stage,
        step=progress.step,
        steps=progress.steps,
        variation=progress.variation,
        elapsed=job.seconds(now),
        remaining=job.remaining(now),
        preview=progress.preview,
    )


def end_state(outcome: Outcome) -> JobState:
    """Return the state of a job with this outcome."""
    if isinstance(outcome, Result):
        return "done"
    return "cancelled" if outcome.code == "cancelled" else "failed"


def error_of(outcome: Outcome) -> str:
    """Return the reason why a job has no result; "" where it has one."""
    return outcome.message if isinstance(outcome, Failed) else ""
