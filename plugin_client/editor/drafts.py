"""Drafts of what a dialog would make: drawn when its weights rest, and given up as soon as they move on.

A draft is no pending job: it is never recovered, and no image gets it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from plugin_client.client import Client
from plugin_client.drafts import draft_of
from plugin_client.editor.background import Background
from plugin_client.editor.requests import GenerateRequest, Submitter
from plugin_client.editor.scheduler import Scheduler
from plugin_client.job import Job, Work
from plugin_client.wire.errors import KandinskyError, TransportError
from plugin_client.wire.messages import AnyRequest, Picture, Progress

REST_SECONDS = 0.25  # without a change, before a draft is begun
SLOW_SECONDS = 5.0  # of denoising: longer, and drafts are a burden rather than a help


@dataclass(frozen=True)
class Draft:
    """A draft that was drawn, and the seconds since its weights came to rest."""

    picture: Picture
    seconds: float


@dataclass(frozen=True)
class TooSlow:
    """A draft that was given up because it takes more than SLOW_SECONDS, and how many."""

    seconds: float


DraftEnd = Draft | TooSlow | KandinskyError


class Drafts:
    """The drafts of one dialog, of which one at most is under way. All methods return at once.

    Args:
        background: stays open; its owner closes it after this.
        scheduler: tells when the weights have rested.
        make: the request whose draft is to be drawn now, or None for none.
        on_end: called with each draft, or with the reason why there is none, unless it was given up by `cancel`.
    """

    def __init__(
        self,
        background: Background,
        scheduler: Scheduler,
        make: Callable[[], GenerateRequest | None],
        on_end: Callable[[DraftEnd], None],
    ) -> None:
        self.are_slow_ones_wanted = False
        self._background = background
        self._scheduler = scheduler
        self._make = make
        self._on_end = on_end
        self._end_wait: Callable[[], None] | None = None
        self._run: DraftRun | None = None

    def move(self) -> None:
        """Give up what is under way, and draw a draft once nothing has moved for REST_SECONDS."""
        self.cancel()
        self._end_wait = self._scheduler.repeat(REST_SECONDS, self._begin)

    def cancel(self) -> None:
        """Give up what is under way, before anything that the daemon is asked for after this."""
        self._stop_waiting()
        if self._run is not None:
            self._run.give_up()
            self._run = None

    def _stop_waiting(self) -> None:
        if self._end_wait is not None:
            self._end_wait()
            self._end_wait = None

    def _begin(self) -> None:
        self._stop_waiting()
        request = self._make()
        if request is None:
            return
        self._run = DraftRun(self._background, request, not self.are_slow_ones_wanted, self._end)

    def _end(self, end: DraftEnd) -> None:
        self._run = None
        self._on_end(end)


class _DraftSubmitter(Submitter):
    """Submits the draft of a request, and writes nothing down."""

    def submit(self, request: AnyRequest) -> Job:
        return self.client.submit_request(draft_of(request))


class DraftRun:
    """A draft on its way, which is begun at once.

    `on_end` is called with its end, unless it was given up before. A draft that must be quick ends with TooSlow if it
    is not.
    """

    def __init__(
        self, background: Background, request: GenerateRequest, must_be_quick: bool, on_end: Callable[[DraftEnd], None]
    ) -> None:
        self._background = background
        self._request = request
        self._must_be_quick = must_be_quick
        self._on_end = on_end
        self._began = time.monotonic()
        self._is_given_up = False
        self._work: Work | None = None  # this belongs to the background's thread
        background.ask(self._submit, lambda answer: self._end(answer) if answer is not None else None)

    def give_up(self) -> None:
        """Have the daemon end it within a step, before anything else that it is asked for after this."""
        self._is_given_up = True
        self._background.do(self._discard, lambda _: None)

    def _end(self, end: DraftEnd) -> None:
        if not self._is_given_up:
            self._on_end(end)

    # --- in the background's thread, which polls this as a background.Watched ---------------------------------------

    def _submit(self, client: Client) -> None:
        if not self._is_given_up:
            self._work = self._request.submit(_DraftSubmitter(client, None))
            self._background.watch(self)

    def poll(self) -> bool:
        assert self._work is not None
        while progress := self._work.poll(0):
            if self._must_be_quick and (seconds := _whole_time(progress)) > SLOW_SECONDS:
                self._tell(TooSlow(seconds))
                self._work.discard()
                return False
        if not self._work.is_over:
            return True
        self._tell(self._result(self._work))
        self._work.discard()
        return False

    def lose(self, error: TransportError) -> None:
        self._tell(error)

    def _discard(self) -> None:
        self._background.unwatch(self)
        if self._work is not None:
            self._work.discard()

    def _result(self, work: Work) -> DraftEnd:
        try:
            picture = work.result().pictures[0]
        except TransportError:
            raise
        except KandinskyError as exc:
            return exc
        return Draft(picture, time.monotonic() - self._began + REST_SECONDS)

    def _tell(self, end: DraftEnd) -> None:
        self._background.tell(lambda: self._end(end))


def _whole_time(progress: Progress) -> float:
    """How long a draft takes whose items are embedded already, in s; 0 while that cannot be told."""
    if progress.stage != "denoising" or progress.remaining < 0 or not progress.step:
        return 0.0
    return progress.remaining * progress.steps / max(progress.steps - progress.step, 1)
