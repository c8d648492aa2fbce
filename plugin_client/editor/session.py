"""One request at a time for a dialog: it is made while the dialog, and the editor, go on working."""

from __future__ import annotations

from collections.abc import Callable

from plugin_client.client import Client
from plugin_client.editor.background import Background
from plugin_client.editor.connection import connect_or_start
from plugin_client.editor.pending_jobs import Destination
from plugin_client.editor.requests import Request, Submitter
from plugin_client.editor.translation import _
from plugin_client.job import BlendResult, Work
from plugin_client.wire.errors import JobCancelled, KandinskyError, NoAnswer, TransportError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Progress

End = BlendResult | KandinskyError


class Session:
    """Sends requests through `background`; all of its methods return at once.

    Args:
        background: stays open; its owner closes it after this session.
        on_starting: called when no daemon runs and one is being started for the request.
        on_progress: called with each step forward.
    """

    def __init__(
        self, background: Background, on_starting: Callable[[], None], on_progress: Callable[[Progress], None]
    ) -> None:
        self._background = background
        self._on_starting = on_starting
        self._on_progress = on_progress
        self._run: _Run | None = None
        self._lost: _Run | None = None  # that has ended with the connection, and can go on
        self._made: _Run | None = None  # whose result is not yet where it belongs
        self.complaint = ""  # why the last request could not be written down, if so: a crash would lose its pictures

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs of the running request that the daemon has by now."""
        return self._run.jobs if self._run else []

    @property
    def can_go_on(self) -> bool:
        """Whether the last request ended because the daemon did, or could not be started."""
        return self._lost is not None

    def start(self, request: Request, destination: Destination | None, on_end: Callable[[End], None]) -> None:
        """Have the request made; its pictures belong to `destination`.

        Args:
            request: goes to the daemon, which is started where none runs.
            destination: is written down with each job; None is a new image.
            on_end: called with the result, or with the reason why there is none. The daemon and the file of a pending
                job keep the result until `forget_result` is called.
        """
        self._leave()
        self._begin(_Run(self._background, request, destination, self._tell_progress, self._end, on_end))

    def go_on(self) -> None:
        """Have the request that was lost made after all: by the same daemon if it lives, else by a new one."""
        if self._lost is not None:
            run, self._lost = self._lost, None
            run.is_submitted = False
            self._begin(run)

    def _begin(self, run: _Run) -> None:
        self._run = run
        self._background.ask(run.submit, lambda answer: self._submitted(run, answer), self._connect_for(run))

    def stop(self, on_error: Callable[[KandinskyError], None]) -> None:
        """End the running request, which then ends with JobCancelled; within a step if the daemon works on it.

        `on_error` is called when the daemon could not be told.
        """
        run = self._run
        if run is None:
            return
        run.is_stopped = True
        if run.is_submitted:
            self._background.ask(lambda _: run.cancel(), lambda end: on_error(end) if end else None)
        else:  # the daemon is being started, or has yet to answer: nobody need wait for that
            self._run = None
            self._background.do(run.discard, lambda _: None)
            run.on_end(JobCancelled("cancelled", N_("stopped before the daemon had it")))

    def close(self) -> None:
        """Give the running request up. One that was lost may be taken over by any process."""
        if self._run is not None:
            self._run.is_stopped = True
            self._background.do(self._run.discard, lambda _: None)
            self._run = None
        self._leave()

    def _leave(self) -> None:
        """Leave a request that was lost to other processes."""
        if self._lost is not None:
            lost, self._lost = self._lost, None
            self._background.do(lambda: lost.settle(NoAnswer("it was lost")), lambda _: None)

    def _connect_for(self, run: _Run) -> Callable[[], Client]:
        return lambda: connect_or_start(lambda: self._background.tell(lambda: self._tell_starting(run)))

    def _tell_starting(self, run: _Run) -> None:
        if run is self._run:
            self._on_starting()

    def _tell_progress(self, run: _Run, progress: Progress) -> None:
        if run is self._run:
            self._on_progress(progress)

    def _submitted(self, run: _Run, answer: KandinskyError | None) -> None:
        run.is_submitted = True
        self.complaint = run.complaint
        if isinstance(answer, KandinskyError):
            self._end(run, answer)

    def _end(self, run: _Run, end: End) -> None:
        if run is not self._run:
            return  # it was stopped before this arrived, and is being discarded
        self._run = None
        if isinstance(end, TransportError):
            self._lost = run
            run.on_end(end)
            return
        if isinstance(end, BlendResult):
            self._made = run
        run.on_end(end)
        if not isinstance(end, BlendResult):
            self._forget(run, end)

    def forget_result(self) -> None:
        """Let go of the result that the request ended with: it is where it belongs, and no crash can lose it now."""
        if self._made is not None:
            run, self._made = self._made, None
            self._forget(run, None)

    def _forget(self, run: _Run, end: KandinskyError | None) -> None:
        self._background.do(lambda: run.settle(end), lambda _: None)
        self._background.ask(run.forget, lambda _: None)


class _Run:
    """A request on its way. The thread of `background` calls all methods.

    `is_stopped` is set by the main thread and read by both; `is_submitted` belongs to the main thread.
    """

    def __init__(
        self,
        background: Background,
        request: Request,
        destination: Destination | None,
        on_progress: Callable[[_Run, Progress], None],
        on_news_of_end: Callable[[_Run, End], None],
        on_end: Callable[[End], None],
    ) -> None:
        self.is_stopped = False
        self.is_submitted = False
        self.on_end = on_end
        self._background = background
        self._request = request
        self._destination = destination
        self._on_progress = on_progress
        self._on_news_of_end = on_news_of_end
        self._client: Client | None = None
        self._submitter: Submitter | None = None
        self._work: Work | None = None

    def submit(self, client: Client) -> None:
        if self.is_stopped:
            return
        submitter = self._submitter or Submitter(client, self._destination)
        submitter.begin_again(client)
        self._client, self._submitter = client, submitter
        try:
            self._work = self._request.submit(submitter)
        except TransportError:
            raise
        except KandinskyError as exc:
            submitter.settle(exc)
            raise
        self._background.watch(self)

    @property
    def jobs(self) -> list[str]:
        return self._submitter.jobs if self._submitter else []

    @property
    def complaint(self) -> str:
        complaint = self._submitter.complaint if self._submitter else None
        return complaint.render(_) if complaint else ""

    def poll(self) -> bool:
        """Hand on what has arrived, as of Watched.poll."""
        assert self._work is not None
        try:
            while progress := self._work.poll(0):
                self._tell_progress(progress)
            if not self._work.is_over:
                return True
            end: End = self._work.result()
        except TransportError:
            raise
        except KandinskyError as exc:
            end = exc
        self._tell_end(end)
        return False

    def lose(self, error: TransportError) -> None:
        """End with `error`: the job may go on in the daemon, and its file stays."""
        self._tell_end(error)

    def cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def settle(self, end: KandinskyError | None) -> None:
        """Forget the pending jobs, as of Submitter.settle."""
        if self._submitter is not None:
            self._submitter.settle(end)

    def forget(self, client: Client) -> None:
        """Have the daemon forget the pictures, unless the one that made them has ended."""
        if self._work is not None and client is self._client:
            self._work.discard()

    def discard(self) -> None:
        """Cancel the request if it runs, and forget it."""
        self._background.unwatch(self)
        if self._work is not None:
            self._work.discard()
        if self._submitter is not None:
            self._submitter.settle(None)

    def _tell_progress(self, progress: Progress) -> None:
        self._background.tell(lambda: self._on_progress(self, progress))

    def _tell_end(self, end: End) -> None:
        self._background.tell(lambda: self._on_news_of_end(self, end))
