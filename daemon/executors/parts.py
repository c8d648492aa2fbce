"""Spreads a job of several pictures over workers, and puts together what they say of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from daemon.executors.base import JobAdvanced, JobDone, JobFailed, JobGivenBack
from plugin_client.wire.limits import MAX_WARNINGS
from plugin_client.wire.messages import JobRequest

UNKNOWN = -1.0
JobEvent = JobAdvanced | JobDone | JobFailed | JobGivenBack


def split(request: JobRequest, workers: int) -> tuple[JobRequest, ...]:
    """Requests that make the pictures of `request` together, in order and as equal as can be, `workers` at most.

    Each picture has random numbers of its own, so it does not matter who makes it.
    """
    number = min(request.count, workers)
    bounds = [request.count * n // number for n in range(number + 1)]
    return tuple(
        replace(request, variation=request.variation + first, count=end - first) for first, end in pairwise(bounds)
    )


class Parts:
    """What becomes of the `number` parts of one job."""

    def __init__(self, number: int) -> None:
        self._progress: list[JobAdvanced | None] = [None] * number
        self._done: list[JobDone | None] = [None] * number
        self.is_over = False  # what parts say afterwards is no more of the job

    def take(self, part: int, event: JobEvent) -> JobEvent | None:
        """What an event of one part means for the whole job; None while it means nothing yet.

        The job ends with the last part that is done, or with the first that is not.
        """
        match event:
            case JobAdvanced():
                self._progress[part] = event
                return self._advanced(event)
            case JobDone():
                self._done[part] = event
                done = [one for one in self._done if one]
                if len(done) < len(self._done):
                    return None
                self.is_over = True
                return _together(done)
            case JobFailed() | JobGivenBack():
                self.is_over = True
                return event

    def _advanced(self, newest: JobAdvanced) -> JobAdvanced:
        if newest.stage in ("downloading", "loading") or len(self._progress) == 1:
            return newest
        parts = [one or replace(newest, step=0) for one in self._progress]  # who has not begun has as much to do
        left = [
            one.remaining for one, done in zip(self._progress, self._done, strict=True) if one is not None and not done
        ]
        return replace(
            newest,
            step=sum(part.step for part in parts if part.stage not in ("downloading", "loading")),
            steps=sum(part.steps or newest.steps for part in parts),
            remaining=UNKNOWN if UNKNOWN in left else max(left, default=UNKNOWN),
        )


def _together(parts: Sequence[JobDone]) -> JobDone:
    warnings = dict.fromkeys(warning for part in parts for warning in part.warnings)
    return replace(
        parts[0],
        pictures=tuple(picture for part in parts for picture in part.pictures),
        warnings=tuple(warnings)[:MAX_WARNINGS],
    )
