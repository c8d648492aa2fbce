"""Requests to the daemon: one blend, the frames of a sweep, or one picture that is drawn into."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from typing import ClassVar

from plugin_client.client import Client, model_here, with_model_here
from plugin_client.editor.capabilities import check_able
from plugin_client.editor.geometry import USUAL_SIDE, Area, made_size, side_of
from plugin_client.editor.pending_jobs import Destination, PendingJob, PendingJobLock, write_and_lock
from plugin_client.editor.translation import _
from plugin_client.job import Job, Work
from plugin_client.sweep import Sweep
from plugin_client.wire.errors import EndpointError
from plugin_client.wire.messages import AnyRequest, Blend, Redraw
from plugin_client.wire.titles import request_title

SIDE_SECONDS = 20.0  # for a daemon that was just started to learn which size its models draw best
PAUSE = 0.05  # s between two questions for it


class Submitter:
    """Submits requests whose pictures belong to `destination`, each written down as a pending job before."""

    def __init__(self, client: Client, destination: Destination | None) -> None:
        self.client = client
        self._destination = destination
        self._locks: list[PendingJobLock] = []
        self._submitted = 0
        self.complaint: EndpointError | None = None  # why a job could not be written down, if one could not

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs that were submitted."""
        return [lock.pending.job for lock in self._locks]

    def begin_again(self, client: Client) -> None:
        """Submit the same requests to `client` under the same ids: a daemon that knows them goes on with them."""
        self.client, self._submitted = client, 0

    def submit(self, request: AnyRequest) -> Job:
        """Submit a request under a new id, or after begin_again under its own. Errors as of Client.submit_request.

        A job that cannot be written down is submitted all the same: only after a crash its result would be lost.
        """
        if self._submitted == len(self._locks):
            self._locks.append(self._lock(request))
        job = self.jobs[self._submitted]
        self._submitted += 1
        return self.client.submit_request(request, job)

    def _lock(self, request: AnyRequest) -> PendingJobLock:
        pending = PendingJob(str(uuid.uuid4()), request_title(request, _), self._destination)
        try:
            return write_and_lock(pending)
        except EndpointError as exc:
            self.complaint = exc
            return PendingJobLock(pending, None)

    def settle(self, end: object) -> None:
        """Forget the pending jobs now that they have ended with `end`, as of PendingJobLock.settle."""
        for lock in self._locks:
            lock.settle(end)


@dataclass(frozen=True)
class GenerateRequest:
    """Blends that differ in their weights only: one, or the frames of a sweep.

    Where they have no size, they get the shape of `area`, as large as their model draws best.
    """

    blends: tuple[Blend, ...]
    area: Area

    @property
    def pictures(self) -> int:
        """The number of pictures that will come."""
        return sum(blend.count for blend in self.blends)

    @property
    def is_sweep(self) -> bool:
        return len(self.blends) > 1

    @property
    def title(self) -> str:
        """What is being made, in a line."""
        return request_title(self.blends[0], _)

    def submit(self, submitter: Submitter) -> Work:
        """Submit the blends; of a sweep the first, after which Work.poll submits the others.

        Raises:
            KandinskyError: as of Client.models and Submitter.submit.
        """
        blends = self._fitted(submitter.client)
        return Sweep(submitter.submit, blends) if self.is_sweep else submitter.submit(blends[0])

    def _fitted(self, client: Client) -> list[Blend]:
        """The blends with the name that their model has at this daemon, and with a size."""
        first = with_model_here(self.blends[0], client)
        width, height = first.width, first.height
        if not width:
            width, height = made_size(self.area, 0, 0, _side(client, first.model))
        return [replace(blend, model=first.model, width=width, height=height) for blend in self.blends]


@dataclass(frozen=True)
class RedrawRequest:
    """A picture that is drawn into."""

    redraw: Redraw
    is_sweep: ClassVar[bool] = False

    @property
    def pictures(self) -> int:
        """The number of pictures that will come."""
        return self.redraw.count

    @property
    def title(self) -> str:
        """What is being made, in a line."""
        return request_title(self.redraw, _)

    def submit(self, submitter: Submitter) -> Work:
        """Submit the request with the name that its model has at this daemon.

        Raises:
            KandinskyError: as of Client.models and Submitter.submit; the model cannot do it, as of check_able.
        """
        offered = submitter.client.models()
        redraw = replace(self.redraw, model=model_here(self.redraw, offered))
        check_able(offered, redraw.model, redraw.kind)
        return submitter.submit(redraw)


Request = GenerateRequest | RedrawRequest


def _side(client: Client, model: str) -> int:
    """The side of the squares that the model draws best, as soon as the daemon knows it; the usual one else."""
    deadline = time.monotonic() + SIDE_SECONDS
    while time.monotonic() < deadline:
        if side := side_of(client.models(), model):
            return side
        time.sleep(PAUSE)
    return USUAL_SIDE
