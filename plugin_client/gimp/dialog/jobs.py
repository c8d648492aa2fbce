"""The requests of a dialog that are on their way: read, sent, made one after the other, and inserted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from plugin_client.client import Client
from plugin_client.editor.background import Background
from plugin_client.editor.report import waiting_line
from plugin_client.editor.requests import Request
from plugin_client.editor.session import End, Session
from plugin_client.editor.translation import _
from plugin_client.formatting import duration
from plugin_client.gimp.dialog.progress import JobRow, ProgressPanel
from plugin_client.gimp.layer_reading import Reading, at_once
from plugin_client.gimp.main_loop import Chore, Chores, MainLoop
from plugin_client.gimp.place import Target, destination_of
from plugin_client.job import BlendResult
from plugin_client.wire.errors import JobCancelled, KandinskyError, NoAnswer
from plugin_client.wire.messages import JobInfo, Progress

LOOK_SECONDS = 1.0  # between looks at the queue


@dataclass(frozen=True)
class Prepared:
    """A request with all that it needs, what is to be said of it, and the place for what comes of it."""

    request: Request
    place: Target
    remarks: tuple[str, ...] = ()


Preparation = Reading[Prepared]  # reads the layers
# Inserts a result in several goes; returns what is to be said of it, given the prepared request and how long it took.
OnResult = Callable[[BlendResult, Prepared, str], Reading[str]]


class Jobs:
    """All requests of one dialog.

    Args:
        panel: shows them.
        background: the connection.
        main_loop: calls for the looks at the queue.
        on_result: inserts a result; what it returns in the end is shown.
        on_end: called after each end, and when a daemon has taken a job.
    """

    def __init__(
        self,
        panel: ProgressPanel,
        background: Background,
        main_loop: MainLoop,
        on_result: OnResult,
        on_news: Callable[[], None],
    ) -> None:
        self.panel = panel
        self.background = background
        self.on_result = on_result
        self.on_news = on_news
        self._chores = Chores()
        self._jobs: list[Job] = []
        self._is_looking = False
        self._end_looks = main_loop.repeat(LOOK_SECONDS, self._look)

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its way."""
        return bool(self._jobs)

    def add(self, preparation: Preparation) -> None:
        """Have a request prepared, made and inserted, after those that were added before."""
        job = Job(self)
        self._jobs.append(job)
        self._chores.add(self._prepare(job, preparation))

    def remove(self, job: Job) -> None:
        self._jobs.remove(job)
        self.panel.remove(job.row)
        self.on_news()

    def close(self) -> None:
        """Give all of them up, but for the results that are there: those are inserted before this returns."""
        self._end_looks()
        self._chores.clear()
        for job in list(self._jobs):
            job.close()

    def insert(self, insertion: Reading[None]) -> None:
        """Have a result inserted, after what is on its way into or out of the image already."""
        self._chores.add(insertion)

    def _prepare(self, job: Job, preparation: Preparation) -> Chore:
        """Let the preparation go on until it has ended, or the job was stopped."""
        try:
            while job in self._jobs:
                next(preparation)
                job.row.say(_("Reading the layers ..."))
                yield
        except StopIteration as end:
            job.start(end.value)
        except KandinskyError as exc:
            job.end(exc)

    def _look(self) -> None:
        """Ask for the queue while a job waits in it."""
        if not self._is_looking and any(job.is_waiting for job in self._jobs):
            self._is_looking = True
            self.background.ask(Client.jobs, self._show_queue)

    def _show_queue(self, answer: tuple[JobInfo, ...] | KandinskyError) -> None:
        self._is_looking = False
        if not isinstance(answer, KandinskyError):
            for job in self._jobs:
                job.show_queue(answer)


class Job:
    """One request: it owns its row and its session."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._prepared: Prepared | None = None
        self._began = time.monotonic()
        self._is_moving = False  # the daemon works on it
        self._insertion: Reading[None] | None = None  # of its result
        self.row = JobRow(self._stop, self._go_on)
        self.row.say(_("Starting ..."))
        self.session = Session(jobs.background, self._say_starting, self._show_progress)
        jobs.panel.add(self.row)

    @property
    def is_waiting(self) -> bool:
        return bool(self.session.jobs) and not self._is_moving

    def start(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self.row.expect(prepared.request.title, prepared.request.pictures)
        self.session.start(prepared.request, destination_of(prepared.place), self.end)
        self._jobs.on_news()

    def show_queue(self, known: tuple[JobInfo, ...]) -> None:
        """Show the place in the queue."""
        if self.is_waiting and (line := waiting_line(self.session.jobs[-1], known)):
            self.row.say(line)

    def end(self, end: End) -> None:
        if isinstance(end, NoAnswer):
            self.row.say(_("The daemon has gone. Go On makes the picture all the same, with another one."))
            self.row.offer_to_go_on(True)
            self._is_moving = True
        elif isinstance(end, KandinskyError):
            self._leave(_("Stopped") if isinstance(end, JobCancelled) else end.render(_))
        else:
            self.row.hide_stop()  # what is being inserted is not stopped
            self._insertion = self._inserting(end)
            self._jobs.insert(self._insertion)

    def close(self) -> None:
        """Give it up, unless its result is there."""
        if self._insertion is not None:
            at_once(self._insertion)
        self.session.close()

    def _inserting(self, result: BlendResult) -> Reading[None]:
        assert self._prepared is not None, "it was sent"
        took = duration(time.monotonic() - self._began, _)
        said = yield from self._jobs.on_result(result, self._prepared, took)
        self.session.forget_result()
        self._leave(" ".join(filter(None, (said, *self._prepared.remarks, self.session.complaint))))

    def _leave(self, word: str) -> None:
        self._jobs.panel.say(word)
        self._jobs.remove(self)

    def _say_starting(self) -> None:
        self.row.say(_("Starting the daemon: this may take a while ..."))

    def _show_progress(self, progress: Progress) -> None:
        self._is_moving = True
        self.row.show_progress(progress)
        if progress.preview:
            self._jobs.panel.preview.show_picture(progress.preview)

    def _stop(self) -> None:
        if self._prepared is None or self.session.can_go_on:
            self.session.close()
            self.end(JobCancelled("cancelled", "stopped before the daemon had it"))
            return
        self.row.say(_("Stopping ..."))
        self.session.stop(lambda error: self.row.say(error.render(_)))

    def _go_on(self) -> None:
        self.row.offer_to_go_on(False)
        self._is_moving = False
        self.row.say(_("Starting ..."))
        self.session.go_on()
