"""A job in the daemon's hands, and what a script or an editor does with it while it runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugin_client.exchange import Exchange, error_of
from plugin_client.wire.errors import DaemonNotRunning, JobCancelled, JobFailed, KandinskyError, NoAnswer
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import (
    Accepted,
    Cancel,
    DaemonMessage,
    Failed,
    JobInfo,
    JobRequest,
    Picture,
    Progress,
    Refusal,
    Release,
    Released,
    Result,
    Submit,
    Watch,
)
from plugin_client.wire.recipe import recipes_of

if TYPE_CHECKING:
    from PIL import Image

LOOK_SECONDS = 1.0  # of silence, and between looks whether the daemon is still there
GONE = "daemon-gone"  # the code of the error that tells so
KEPT_PROGRESS = 100  # messages of a job that nobody looks at; older ones are dropped


@dataclass(frozen=True)
class BlendResult:
    """The raw pictures of a job, the recipe of each in the same order, and warnings for the person who asked."""

    pictures: tuple[Picture, ...]
    recipes: list[dict[str, Any]] = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def images(self) -> list[Image.Image]:
        """The pictures as RGB Pillow images."""
        from plugin_client import pictures  # Pillow is needed from here on, and not before

        return [pictures.to_image(picture) for picture in self.pictures]


class Work(ABC):
    """Something that is under way: a job, or a sweep's jobs one after the other. It belongs to its client's thread."""

    ahead: int  # jobs that ran before it when it was submitted

    @property
    @abstractmethod
    def timeout(self) -> float:
        """Seconds of silence after which the daemon counts as gone."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether the end has arrived here and all progress has been read."""

    @abstractmethod
    def poll(self, timeout: float = 0.0) -> Progress | None:
        """Return the next progress, or None when none came within `timeout` seconds, or it is over.

        Raises:
            NoAnswer: the daemon has been silent for too long, or is gone, which has the code GONE: polling on is
                harmless then, and goes on with a job that was kept.
            ProtocolError: the daemon sent what is no message.
        """

    def watch(self) -> Iterator[Progress]:
        """Yield each progress until it is over, however it ends. Errors as of poll."""
        while not self.is_over:
            if progress := self.poll(timeout=self.timeout / 10):
                yield progress

    @abstractmethod
    def result(self) -> BlendResult:
        """Wait for the end and return what was made.

        Raises:
            JobCancelled: somebody cancelled it.
            JobFailed: it failed; `code` and text say why.
            Refused: the daemon was started again and does not know it any more.
            NoAnswer: as of poll.
        """

    @abstractmethod
    def cancel(self) -> object:
        """Ask for its end, which comes within a step; result() then raises JobCancelled. Errors as of Exchange.ask."""

    @abstractmethod
    def release(self) -> None:
        """Let the daemon forget it, which must be over, and its pictures. Errors as of Exchange.ask."""

    @abstractmethod
    def discard(self) -> None:
        """Cancel it unless it is over, and let the daemon forget it if it is over then. Raises nothing."""


class Job(Work):
    """A blend in the daemon's hands. Client.submit and Client.job make it."""

    def __init__(self, exchange: Exchange, job_id: str) -> None:
        self.id = job_id
        self.ahead = 0
        self._exchange = exchange
        self._request_id = exchange.listen(self._take)
        self._progress: deque[Progress] = deque(maxlen=KEPT_PROGRESS)
        self._end: Result | Failed | Refusal | None = None
        self._heard = self._asked = time.monotonic()
        self._looked = 0.0
        self._unanswered: float | None = None  # when the first Watch was sent after the last message

    def begin(self, request: JobRequest) -> None:
        """Submit the job. Errors as of Exchange.ask."""
        self.ahead = self._exchange.ask(
            Submit(self.id, request, self._exchange.owner), Accepted, self._request_id
        ).ahead

    def rejoin(self) -> None:
        """Watch a job that was submitted before. Errors as of Exchange.ask."""
        self._exchange.ask(Watch(self.id), JobInfo, self._request_id)

    @property
    def timeout(self) -> float:
        return self._exchange.timeout

    @property
    def is_over(self) -> bool:
        return self._end is not None and not self._progress

    @property
    def has_result(self) -> bool:
        """Whether its result has arrived here: result() then returns at once."""
        return isinstance(self._end, Result)

    @property
    def has_failed(self) -> bool:
        """Whether it is known that there will be no result."""
        return self._end is not None and not isinstance(self._end, Result)

    def poll(self, timeout: float = 0.0) -> Progress | None:
        """Return the next progress, or None when none came within `timeout` seconds, or the job is over.

        Raises:
            NoAnswer: the daemon has been silent for too long. The job may go on: come back with Client.job.
            ProtocolError: the daemon sent what is no message.
        """
        if not self._progress and self._end is None and not self._exchange.receive(timeout):
            self._check_alive()
        return self._progress.popleft() if self._progress else None

    def result(self) -> BlendResult:
        """Wait for the end and return the pictures, which the daemon keeps until release(), or for a while.

        It may be called again. Errors as of Work.result.
        """
        for _ in self.watch():
            pass
        if not isinstance(self._end, Result):
            raise _ended(self._end)
        return BlendResult(self._end.pictures, recipes_of(self._end), self._end.warnings)

    def cancel(self) -> JobInfo:
        """Ask for the job's end, as of Work.cancel; its state at that moment. A job that is over stays as it is."""
        return self._exchange.ask(Cancel(self.id), JobInfo)

    def release(self) -> None:
        self._exchange.ask(Release(self.id), Released)
        self._exchange.forget(self._request_id)

    def discard(self) -> None:
        """Cancel the job unless it is over, and let the daemon forget it if it is over then. Raises nothing.

        The daemon's own limits clear away what is left: a step that still runs, a job that could not be reached.
        """
        with suppress(KandinskyError):
            if self._end is None:
                self.cancel()
            self.release()

    def _take(self, message: DaemonMessage) -> None:
        self._heard, self._unanswered = time.monotonic(), None
        if isinstance(message, Progress):
            self._progress.append(message)
        elif isinstance(message, Result | Failed) or (isinstance(message, Refusal) and message.code != "stopping"):
            self._end = message  # a daemon that stops keeps the job, and it goes on under the next one

    def _check_alive(self) -> None:
        """Watch the job anew after a silence, which finds a daemon that died, or was started again.

        The request keeps its id, so the daemon does not repeat its messages. Silence counts from the first question:
        the caller may have been busy with other things for long.
        """
        now, timeout = time.monotonic(), self.timeout
        if now - max(self._heard, self._looked) > LOOK_SECONDS:
            self._looked = now
            self._look()
        if self._unanswered is not None and now - self._unanswered > timeout * 2 / 3:
            raise NoAnswer(
                N_("the daemon has not been heard for {seconds:g} s; the picture may still come if it lives"),
                "silent",
                seconds=timeout,
            )
        if now - max(self._heard, self._asked) > timeout / 3:
            self._asked = now
            self._unanswered = self._unanswered or now
            self._exchange.send(Watch(self.id), self._request_id)

    def _look(self) -> None:
        """Raises: NoAnswer: the daemon is gone. Once it is back, the next poll asks it for the job."""
        try:
            self._exchange.check_alive()
        except DaemonNotRunning as exc:
            self._asked, self._unanswered = 0.0, None
            raise NoAnswer(
                N_("the daemon has ended; a picture that it keeps goes on when it is started again"), GONE
            ) from exc


def _ended(end: Failed | Refusal | None) -> KandinskyError:
    """Return why a job that is over has no result."""
    assert end is not None
    if isinstance(end, Refusal):
        return error_of(end)
    return (JobCancelled if end.code == "cancelled" else JobFailed)(end.code, end.message)
